# Sluice: the only build file.
#   make             builds build/sluice
#   make setup       installs what the build needs (Debian, as root)
#   make demo        writes a video, examples/shapes/out.gif
#   make check       runs the tests; T="cut plan": only those two
#   make install     to PREFIX (/usr/local), below DESTDIR; make uninstall
#   make docs        writes docs/ops.md and the outputs in docs/tour.md anew
#   make pictures    draws those of docs/ anew
#   make profile     measures this machine: the built-in device profile
#   make check-cuda  the CUDA kernels, as nvcc's PTX and with planted bugs, too
#   make mutate-cuda  the planted bugs alone
#   make check-asan  the tests under AddressSanitizer and UBSan
#   make mutate      the tests against the memory gate without each of its checks
#   make fuzz        the fuzz targets: their corpus, then FUZZ_SECONDS (0) each;
#                    make setup-fuzz installs clang for them
#   make clean
# V=1 shows the commands, CI=1 makes warnings errors, BUILD=dir builds there.
MAKEFLAGS += --no-print-directory
ifeq ($(origin CC),default)
CC        = gcc
endif
BUILD    ?= build
PREFIX   ?= /usr/local
WARN      = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wconversion
WERROR   ?= $(if $(CI),-Werror)
OPT      ?= -O2
SANITIZE ?=
CFLAGS   += -std=c11 -D_GNU_SOURCE -g $(OPT) $(WARN) $(WERROR) \
	-I. -I$(BUILD) $(SANITIZE) -MMD -MP
LDLIBS    = -lyaml -lpng -ljpeg -lwebp -lwebpdemux -lwebpmux -lgif -lxxhash \
	-lutf8proc -lpthread -ldl -lm
# The kernels' arithmetic: vectorised, but no reassociation and no contraction,
# so that a slice has the bits of the whole.  They are built once for each level
# of instruction sets; kernels/cpu_level.c picks one at run time.
KERNEL_FLAGS = -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math
MACHINE     := $(shell $(CC) -dumpmachine 2>/dev/null || uname -m)
LEVELS      := base $(if $(filter x86_64%,$(MACHINE)),avx2 avx512)
LEVEL_base   =
LEVEL_avx2   = -mavx2 -mfma -mf16c
LEVEL_avx512 = $(LEVEL_avx2) -mavx512f -mavx512bw -mavx512dq -mavx512vl \
	-mprefer-vector-width=512
PACKAGES = gcc g++ libc6-dev flex bison libyaml-dev libxxhash-dev libgif-dev \
	libpng-dev libjpeg62-turbo-dev libwebp-dev libutf8proc-dev graphviz
FUZZ_PACKAGES = clang libclang-rt-dev
HEADERS  = gif_lib.h jpeglib.h png.h utf8proc.h webp/mux.h xxhash.h yaml.h

ROOMS    := ir ir/* lang lang/* compiler compiler/* vm vm/* kernels kernels/cuda
SRC      := $(wildcard $(ROOMS:%=%/*.c))
CPU_SRC  := $(wildcard kernels/cpu/*.c)
LIB_SRC  := $(filter-out compiler/cli/main.c,$(SRC))
GEN      := lang/gram.o lang/scan.o lang/builtins.o compiler/explain/report_assets.o
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/%.o) $(addprefix $(BUILD)/,$(GEN)) \
	$(LEVELS:%=$(BUILD)/kernels_%.o)
TEST_SRC := $(filter-out tests/lib/% tests/fuzz/% tests/tools/%,$(wildcard tests/*/*.c))
TESTS    := $(TEST_SRC:%.c=$(BUILD)/%)
TOOLS    := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/tools/*.c))
FUZZ     := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
V        ?= @
override V := $(filter @,$(V))  # V= and V=1 show the commands

all: $(BUILD)/sluice

$(BUILD)/sluice: $(BUILD)/compiler/cli/main.o $(LIB_OBJ)
	@echo link $@
	$(V)$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)

# ---- CUDA kernels: one module inside the binary, where there is nvcc ----
# NVCC= builds without it; CUDA_ARCH=90 for one architecture alone.
NVCC     ?= $(firstword $(wildcard /usr/local/cuda/bin/nvcc) \
	$(shell command -v nvcc 2>/dev/null))
CUDA_SRC  = $(wildcard kernels/cuda/*.cu kernels/cuda/*.h) kernels/mathf.h ir/ops.h \
	ir/ops.def
NVCC_FLAGS = -std=c++17 -O3 -fmad=false -I.
ifneq ($(NVCC),)
CUDA_ARCH ?= 75 80 86 89 90 120
CUDA_PTX  ?= 80
CUDA_KNOWN := $(patsubst compute_%,%,$(shell $(NVCC) --list-gpu-arch))
CUDA_CODE  = $(foreach a,$(filter $(CUDA_KNOWN),$(CUDA_ARCH)),-gencode \
	arch=compute_$(a),code=sm_$(a)) $(foreach a,$(CUDA_PTX),-gencode \
	arch=compute_$(a),code=compute_$(a))
# The log has registers and spills of every kernel.
$(BUILD)/kernels.fatbin: $(CUDA_SRC) Makefile
	@mkdir -p $(@D)
	@echo nvcc kernels/cuda/all.cu
	$(V)$(NVCC) $(NVCC_FLAGS) $(CUDA_CODE) --threads 2 -Xptxas -v \
		-c -o $(BUILD)/kernels.o kernels/cuda/all.cu \
		>$(BUILD)/nvcc.log 2>&1 || { cat $(BUILD)/nvcc.log; exit 1; }
	$(V)objcopy -O binary --only-section=.nv_fatbin $(BUILD)/kernels.o $@
$(BUILD)/kernels/cuda/image.o: $(BUILD)/kernels.fatbin
$(BUILD)/kernels/cuda/image.o: CFLAGS += -DCUDA_FATBIN='"$(BUILD)/kernels.fatbin"'
endif

# What the build needs, looked for once: a missing library is named here, and
# not in the first file that includes it.
$(BUILD)/needs: Makefile
	@mkdir -p $(@D)
	@for tool in $(firstword $(CC)) bison flex; do \
		command -v $$tool >/dev/null || echo "$$tool is missing"; done >$@.log
	@for header in $(HEADERS); do \
		echo "#include <$$header>" | $(CC) -E - >/dev/null 2>&1 \
			|| echo "$$header is missing"; done >>$@.log
	@if [ -s $@.log ]; then cat $@.log; \
		echo "make setup installs what is needed (Debian, as root)"; \
		exit 1; fi
	@touch $@

$(BUILD)/%.o: %.c | $(BUILD)/needs
	@mkdir -p $(@D)
	@echo cc $<
	$(V)$(CC) $(CFLAGS) -c -o $@ $<

# One level: of its names only that of its table stays visible.
define level
$(BUILD)/$(1)/%.o: %.c | $(BUILD)/needs
	@mkdir -p $$(@D)
	@echo cc $$< for $(1)
	$$(V)$$(CC) $$(CFLAGS) $$(KERNEL_FLAGS) $$(LEVEL_$(1)) \
		-DKERNEL_LEVEL=$(1) -DKERNEL_SET=kernels_$(1) -c -o $$@ $$<
$(BUILD)/kernels_$(1).o: $$(CPU_SRC:%.c=$(BUILD)/$(1)/%.o)
	$$(V)$$(LD) -r -o $$@ $$^
	$$(V)objcopy --keep-global-symbol=kernels_$(1) $$@
endef
$(foreach l,$(LEVELS),$(eval $(call level,$(l))))

# ---- generated sources ----
$(BUILD)/lang/gram.c: lang/gram.y | $(BUILD)/needs
	@mkdir -p $(@D)
	$(V)bison -Wall -Werror --header=$(BUILD)/lang/gram.h -o $@ $<
$(BUILD)/lang/gram.h: $(BUILD)/lang/gram.c
$(BUILD)/lang/scan.c: lang/scan.l $(BUILD)/lang/gram.h
	@mkdir -p $(@D)
	$(V)flex --header-file=$(BUILD)/lang/scan.h -o $@ $<
$(BUILD)/lang/scan.h: $(BUILD)/lang/scan.c
$(BUILD)/lang/gram.o $(BUILD)/lang/scan.o: CFLAGS += -Ilang
$(BUILD)/lang/%.o: $(BUILD)/lang/%.c
	@echo cc $<
	$(V)$(CC) $(CFLAGS) -c -o $@ $<
$(filter $(BUILD)/lang/%.o,$(LIB_OBJ)): | $(BUILD)/lang/gram.h $(BUILD)/lang/scan.h
# The folder is newer when an example was added or removed.
$(BUILD)/lang/builtins.c: $(wildcard examples/*.slu) examples compiler/embed.sh
	@mkdir -p $(@D)
	$(V)sh compiler/embed.sh lang_builtins examples/*.slu > $@
$(BUILD)/compiler/explain/report_assets.c: compiler/explain/report.css compiler/explain/report.js compiler/embed.sh
	@mkdir -p $(@D)
	$(V)sh compiler/embed.sh report_assets compiler/explain/report.css compiler/explain/report.js > $@
$(BUILD)/compiler/explain/report_assets.o: $(BUILD)/compiler/explain/report_assets.c
	@echo cc $<
	$(V)$(CC) $(CFLAGS) -c -o $@ $<

# ---- tests: each tests/ROOM/X.c is a program, each tests/ROOM/X.sh a
# script; both print
# "ok NAME" or "not ok NAME" lines (tests/run.sh counts them) ----
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(LIB_OBJ)
	$(V)$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)
# Tests of the CUDA kernels run them in the shim: threads as fibers, in C++.
ifeq ($(origin CXX),default)
CXX       = $(subst gcc,g++,$(filter-out clang%,$(CC)))
endif
SHIM_FLAGS = -std=c++17 -O2 -g -fPIC -ffp-contract=off -Wall -Wextra -Wno-unknown-pragmas \
	$(WERROR) -I. -Itests/kernels/cuda -MMD -MP
# Sanitizers do not know its fibers.
ifneq ($(and $(if $(SANITIZE),,yes),$(filter x86_64%,$(MACHINE)),\
	$(shell command -v $(lastword $(CXX)))),)
SHIM_OBJ  = $(BUILD)/shim/shim.o $(patsubst kernels/cuda/%.cu,$(BUILD)/shim/%.o, \
	$(filter-out %/all.cu,$(wildcard kernels/cuda/*.cu)))
endif
$(BUILD)/shim/%.o: tests/kernels/cuda/%.cpp
	@mkdir -p $(@D)
	@echo c++ $<
	$(V)$(CXX) $(SHIM_FLAGS) -c -o $@ $<
$(BUILD)/shim/%.o: kernels/cuda/%.cu
	@mkdir -p $(@D)
	@echo c++ $<
	$(V)$(CXX) $(SHIM_FLAGS) -x c++ -c -o $@ $<
# A driver that is not there, whose kernels run in the shim.
FAKE_DRIVER = $(if $(SHIM_OBJ),$(BUILD)/tests/fake_driver.so)
$(BUILD)/tests/fake_driver.so: $(BUILD)/tests/kernels/cuda/fake_driver.o $(SHIM_OBJ)
	$(V)$(CXX) -shared -o $@ $^
$(BUILD)/tests/kernels/cuda/fake_driver.o: CFLAGS += -fPIC
CUDA_TESTS = $(filter $(BUILD)/tests/kernels/cuda_%,$(TESTS))
$(CUDA_TESTS): $(SHIM_OBJ)
$(CUDA_TESTS:%=%.o): CFLAGS += $(if $(SHIM_OBJ),-DSHIM)
$(CUDA_TESTS): LDLIBS += $(if $(SHIM_OBJ),-lstdc++)
# nvcc's PTX as C++ over the same shim: what it made of the kernels is tested, too.
PTX_ARCH  ?= 75 80 90
CUDA_CU    = $(filter-out %/all.cu,$(wildcard kernels/cuda/*.cu))
define ptx
$(BUILD)/ptx/$(1)/%.o: kernels/cuda/%.cu $(CUDA_SRC) tests/kernels/cuda/ptx2cpp.py
	@mkdir -p $$(@D)
	@echo ptx of sm_$(1) $$<
	$$(V)$(NVCC) $(NVCC_FLAGS) -arch=sm_$(1) -ptx -o $$(@:.o=.ptx) $$<
	$$(V)python3 tests/kernels/cuda/ptx2cpp.py $$(@:.o=.ptx) >$$(@:.o=.cpp)
	$$(V)$(CXX) -std=c++17 -O1 -w -ffp-contract=off -DPTX_COUNT -I. -Itests/kernels/cuda -c -o $$@ \
		$$(@:.o=.cpp)
$(BUILD)/ptx/$(1)/cuda_%: $(BUILD)/tests/kernels/cuda_%.o $(BUILD)/shim/shim.o \
		$(CUDA_CU:kernels/cuda/%.cu=$(BUILD)/ptx/$(1)/%.o) $(LIB_OBJ)
	$$(V)$$(CC) $$(CFLAGS) -o $$@ $$^ $$(LDLIBS) -lstdc++
endef
ifneq ($(and $(NVCC),$(SHIM_OBJ),$(shell command -v python3)),)
PTX_DIRS   = $(PTX_ARCH:%=$(BUILD)/ptx/%)
$(foreach a,$(PTX_ARCH),$(eval $(call ptx,$(a))))
endif
check-cuda: $(CUDA_TESTS) $(foreach d,$(PTX_DIRS),$d/cuda_values $d/cuda_counts \
		$(if $(FULL),$d/cuda_cut))
	$(V)BUILD=$(BUILD) sh tests/run.sh cuda_values cuda_counts cuda_static cuda_cut
	$(V)BUILD=$(BUILD) FULL=$(FULL) sh tests/kernels/cuda/check.sh $(PTX_DIRS)
	$(V)$(MAKE) mutate-cuda
# Plants bugs in the kernels; the tests must notice each.
mutate-cuda: $(CUDA_TESTS)
	$(V)BUILD=$(BUILD) NVCC="$(NVCC)" CXX="$(CXX) -std=c++17 -ffp-contract=off -w" \
		CC="$(CC) $(CFLAGS)" OBJECTS="$(SHIM_OBJ) $(LIB_OBJ)" \
		LIBS="$(LDLIBS) -lstdc++" sh tests/kernels/cuda/mutants.sh
# (The fuzz targets are compiled, so that they do not rot where there is no clang.)
check: $(BUILD)/sluice $(TESTS) $(TOOLS) $(FAKE_DRIVER) \
	$(FUZZ:%=$(BUILD)/tests/fuzz/fuzz_%.o)
	$(V)BUILD=$(BUILD) sh tests/run.sh $(T)

# The same tests under AddressSanitizer and UndefinedBehaviorSanitizer, whose
# code gcc warns about without cause.
SANITIZERS = -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
check-asan:
	$(V)ASAN_OPTIONS=detect_leaks=0 $(MAKE) NVCC= BUILD=$(BUILD)-asan OPT=-O1 \
		SANITIZE="$(SANITIZERS)" WERROR= \
		WARN="$(WARN) -Wno-maybe-uninitialized" check

# Builds the memory gate without each of its checks in turn, and without each of
# what its sparse walk demands; the tests must notice that.
MUTATE_OBJ := $(BUILD)/tests/vm/check.o $(BUILD)/tests/vm/check_loads.o
mutate: $(MUTATE_OBJ) $(LIB_OBJ)
	$(V)n=0; for id in $$(sed -n -e 's/^CHECK(\([0-9]*\),.*/\1/p' \
		-e 's/^\t[A-Z_]* = \(1[0-9][0-9]\),.*/\1/p' \
		vm/gates/check.def vm/gates/check_steps.c); do \
		noticed=; for test in $(MUTATE_OBJ); do \
			$(CC) $(CFLAGS) -DSLUICE_DROP_CHECK=$$id -o $(BUILD)/mutant \
				vm/gates/check_place.c vm/gates/check_steps.c $$test \
				$(filter-out %/check_place.o %/check_steps.o,$(LIB_OBJ)) \
				$(LDLIBS) || exit 1; \
			$(BUILD)/mutant >$(BUILD)/mutant.log || noticed=1; done; \
		if [ -z "$$noticed" ]; then \
			echo "no test notices that C$$id is missing"; \
			n=$$((n + 1)); fi; \
	done; echo "checks that no test notices: $$n"; [ $$n = 0 ]

# libFuzzer targets: `make fuzz` runs each over its corpus and then for
# FUZZ_SECONDS of new inputs; 0 is the corpus alone.
FUZZ_SECONDS ?= 0
FUZZ_FLAGS = NVCC= CC=clang BUILD=$(BUILD)-fuzz OPT=-O1 WERROR= \
	WARN="-Wno-unknown-warning-option -Wno-pass-failed" \
	SANITIZE="-fsanitize=address,undefined,fuzzer-no-link \
	-fno-sanitize-recover=undefined" FUZZ_SECONDS=$(FUZZ_SECONDS)
fuzz: have-clang
	$(V)$(MAKE) $(FUZZ_FLAGS) $(FUZZ:%=run-fuzz-%)
fuzz-%: have-clang
	$(V)$(MAKE) $(FUZZ_FLAGS) run-fuzz-$*
have-clang:
	@command -v clang >/dev/null \
		|| { echo "clang is missing: make setup-fuzz installs it"; exit 1; }
$(BUILD)/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(LIB_OBJ)
	$(V)$(CC) $(CFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)
run-fuzz-%: $(BUILD)/fuzz_%
	$(V)mkdir -p $(BUILD)/corpus_$*
	$(V)ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 $< \
		$(if $(filter 0,$(FUZZ_SECONDS)),-runs=0,-max_total_time=$(FUZZ_SECONDS)) \
		-rss_limit_mb=2048 -timeout=20 \
		$(addprefix -dict=,$(wildcard tests/fuzz/$*.dict)) \
		$(BUILD)/corpus_$* tests/fuzz/corpus_$*
# Plans depend on the list of ops: the first ones are compiled.
run-fuzz-plan: $(BUILD)/seeds_plan
$(BUILD)/seeds_plan: $(BUILD)/sluice $(wildcard tests/fuzz/plans/*.slu)
	$(V)mkdir -p $(BUILD)/corpus_plan
	$(V)for m in dense sliced loop; do \
		ASAN_OPTIONS=detect_leaks=0 $< compile tests/fuzz/plans/$$m.slu \
		--model $$m --min-memory --threads 1 --quiet \
		-o $(BUILD)/corpus_plan/$$m || exit 1; done
	$(V)touch $@

# ---- documentation that is made from the source ----
docs: $(BUILD)/sluice $(BUILD)/tests/tools/ops_doc
	$(V)$(BUILD)/tests/tools/ops_doc > docs/ops.md
	$(V)BUILD=$(BUILD) sh tests/docs/docs_tour.sh --write

# The two pictures of docs/, after a change to how plans are drawn.
pictures: $(BUILD)/sluice
	$(BUILD)/sluice compile examples/text_to_video.slu --dtype f16 \
		--memory 500MiB -o $(BUILD)/pictures.slb
	$(BUILD)/sluice dot --memory $(BUILD)/pictures.slb | \
		dot -Tpng -o docs/memory.png
	$(BUILD)/sluice dot --graph examples/animatediff.slu | \
		dot -Tpng -Gdpi=66 -o docs/graph.png

# The built-in device profile, measured on this machine.
profile: $(BUILD)/sluice
	$(BUILD)/sluice bench --calibrate --name cpu-2core --threads 2 \
		-o $(BUILD)/profile.yaml
	{ echo '/* seconds for f32, f16, bf16: written by `make profile` */'; \
	sed -n 's/^  \([a-z_]*\): \[\(.*\)\]/SECONDS(\1, \2)/p' \
		$(BUILD)/profile.yaml; } > compiler/cost/profile_cpu.def

# The small model's video: what a newcomer sees first.
demo: $(BUILD)/sluice
	$(BUILD)/sluice generate examples/shapes/run.yaml
	@echo "the video is examples/shapes/out.gif"

# The program, its manual and completion, programs and run files, the small model.
SHARE    = $(DESTDIR)$(PREFIX)/share
EXAMPLES = $(wildcard examples/*.slu examples/*.yaml) \
	$(shell find examples/shapes -type f ! -name 'out*')
MAN      = man/man1/sluice.1
COMPLETE = bash-completion/completions/sluice
$(BUILD)/sluice.man $(BUILD)/sluice.bash: $(BUILD)/sluice.%: compiler/cli/options.awk \
	compiler/cli/options.def | $(BUILD)/needs
	$(V)awk -v kind=$* -f $^ >$@
install: $(BUILD)/sluice $(BUILD)/sluice.man $(BUILD)/sluice.bash
	install -D -m 755 $(BUILD)/sluice $(DESTDIR)$(PREFIX)/bin/sluice
	install -D -m 644 $(BUILD)/sluice.man $(SHARE)/$(MAN)
	install -D -m 644 $(BUILD)/sluice.bash $(SHARE)/$(COMPLETE)
	for f in $(EXAMPLES); do \
		install -D -m 644 $$f $(SHARE)/sluice/$$f || exit 1; done
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/sluice $(SHARE)/$(MAN) $(SHARE)/$(COMPLETE) \
		$(EXAMPLES:%=$(SHARE)/sluice/%)
	-find $(SHARE)/sluice -type d -empty -delete

help:
	@sed -n '/^#/!q; s/^# //p' Makefile

setup setup-fuzz:
	apt-get update -q && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends -o Acquire::Retries=3 \
		$(if $(filter setup,$@),$(PACKAGES),$(FUZZ_PACKAGES))
# `make -j8 setup check` installs first, too.
ifneq ($(filter setup setup-fuzz,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

# nvcc is in Debian's contrib and non-free; without it the checks that need it
# are skipped.
setup-cuda:
	apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
		--no-install-recommends python3 g++
	command -v nvcc $(wildcard /usr/local/cuda/bin/nvcc) || DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends nvidia-cuda-toolkit \
		|| echo "no nvcc: Debian has it in contrib and non-free (nvidia-cuda-toolkit)"

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-fuzz


.PHONY: all check check-cuda mutate-cuda setup-cuda mutate check-asan fuzz have-clang docs pictures profile demo \
	install uninstall help setup setup-fuzz clean
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
