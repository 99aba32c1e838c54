#!/bin/sh
# cuda.sh - plans for a GPU, on a driver that is not there (fake_driver.c), whose
# kernels run in the shim: recorded models as whole operators and in the smallest
# memory, where weights come beside kernels; and what goes wrong with a driver.
BUILD=${BUILD:-build}
SLUICE=${SLUICE:-$BUILD/sluice}
compare=$BUILD/tests/tools/compare
SLUICE_CUDA_DRIVER=$PWD/$BUILD/tests/fake_driver.so
if [ ! -f "$SLUICE_CUDA_DRIVER" ]; then
	echo "ok cuda # skip: the shim needs g++ and x86-64"
	exit 0
fi
export SLUICE_CUDA_DRIVER
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

text() {
	sed -n "s/^ \"$1\": \"\(.*\)\",*\$/\1/p" "$dir/case.json"
}

# Compiles the case as $dtype with the options given.
compile() {
	set -- "$@" --config "$dir/config.json" --dtype $dtype
	for key in frames height width batch tokens; do
		v=$(sed -n "s/^ \"$key\": \([0-9]*\),*\$/\1/p" "$dir/case.json")
		[ -z "$v" ] || set -- "$@" -D $key=$v
	done
	"$SLUICE" compile "examples/$(text kind).slu" "$@" --device cuda \
		-o "$work/plan.slb" --quiet
}

run() {
	"$SLUICE" run "$work/plan.slb" --weights "$dir/$(text weights)" \
		--in "$dir/in.safetensors" --out "$work/out.safetensors" --quiet \
		"$@"
}

for dir in tests/data/golden/*; do
	bad= output=$(sed -n '/^ "outputs"/{n;s/ *"\(.*\)".*/\1/p;}' \
		"$dir/case.json")
	for dtype in f32 f16 bf16; do
		case $dtype in
		f32) limit=1e-4 ;;
		f16) limit=0.02 ;;
		bf16) limit=0.15 ;;
		esac
		[ $dtype != bf16 ] || [ "$(text kind)" = clip_text ] || continue
		ways=--min-memory
		[ $dtype != f32 ] || ways='--unsliced --min-memory'
		for how in $ways; do
			compile $how >"$work/log" 2>&1 && run --device cuda:0 \
				>>"$work/log" 2>&1 && "$compare" \
				"$work/out.safetensors" "$dir/out.safetensors" \
				$output --limit $limit >>"$work/log" 2>&1 \
				|| bad="$dtype $how"
			[ -z "$bad" ] || break 2
		done
	done
	[ -z "$bad" ] || { echo "$bad"; cat "$work/log"; }
	echo "${bad:+not }ok $(text kind) $(basename "$dir") on cuda"
done

# ---- what goes wrong ----
dir=tests/data/golden/clip_text_short
# refused NAME CODE WORDS SETTING...: the run ends so, with nothing written
refused() {
	name=$1 code=$2 words=$3
	shift 3
	rm -f "$work/out.safetensors"
	(export "$@"; run) >"$work/log" 2>&1
	got=$?
	if [ $got -eq "$code" ] && grep -q "$words" "$work/log" \
		&& [ ! -e "$work/out.safetensors" ]; then
		echo "ok $name"
	else
		echo "exit code $got, not $code:"
		cat "$work/log"
		echo "not ok $name"
	fi
}
dtype=f32
compile --min-memory
refused "no driver" 10 "there is no CUDA driver" SLUICE_CUDA_DRIVER=/nonexistent.so
refused "a library that is no driver" 10 "has no cuInit" \
	"SLUICE_CUDA_DRIVER=$(ls /lib/*/libm.so.6 | head -n 1)"
refused "an old driver" 10 "the driver is for CUDA 10.2" FAKE_CUDA_VERSION=10020
refused "no GPU" 10 "there is no GPU 0: the driver sees 0" FAKE_CUDA_DEVICES=0
refused "a driver that does not start" 10 "does not start" FAKE_CUDA_FAIL=cuInit:1:999
refused "no kernels for this GPU" 10 "sm_80\|built without" FAKE_CUDA_FAIL=cuModuleLoadData:1:209
refused "too little memory" 7 "are free on this GPU" FAKE_CUDA_MEMORY=10000
refused "a kernel that faults" 10 "ILLEGAL_ADDRESS" FAKE_CUDA_FAIL=kernel:5:1
refused "a copy of weights that fails" 10 "copying weights" \
	FAKE_CUDA_FAIL=cuMemcpyHtoDAsync_v2:9:719
refused "a lost device" 10 "CUDA_ERROR (999)" FAKE_CUDA_FAIL=cuStreamSynchronize:1:999
dtype=bf16
compile
refused "bf16 on sm_75" 10 "bf16 needs sm_80" FAKE_CUDA_SM=75
dtype=f32
compile
run --device cuda:3 >"$work/log" 2>&1
[ $? -eq 10 ] && grep -q 'no GPU 3' "$work/log" && echo "ok a GPU that is not there" \
	|| { cat "$work/log"; echo "not ok a GPU that is not there"; }
run --device cpu >"$work/log" 2>&1
[ $? -eq 4 ] && grep -q "the plan is for 'cuda'" "$work/log" \
	&& echo "ok a plan of another target" \
	|| { cat "$work/log"; echo "not ok a plan of another target"; }
FAKE_CUDA_FAIL=cuMemHostAlloc:1:2 run >"$work/log" 2>&1 \
	&& "$compare" "$work/out.safetensors" "$dir/out.safetensors" text \
		--limit 1e-4 >>"$work/log" 2>&1 \
	&& echo "ok no memory can be locked for all weights" \
	|| { cat "$work/log"; echo "not ok no memory can be locked for all weights"; }
"$SLUICE" devices | grep -q '^cuda:0 .*sm_80' && echo "ok devices lists the GPU" \
	|| echo "not ok devices lists the GPU"
sed "/^noise:/d; s,: model\$,: $PWD/examples/shapes/model," \
	examples/shapes/run.yaml >"$work/run.yaml"
video() {
	"$SLUICE" generate "$work/run.yaml" --set device=$1 --set steps=1 \
		--set frames=2 --set "output=$work/$1.safetensors" --quiet
}
video cuda >"$work/log" 2>&1 && video cpu >>"$work/log" 2>&1 \
	&& "$compare" "$work/cuda.safetensors" "$work/cpu.safetensors" frames \
		--limit 1e-3 >>"$work/log" 2>&1 && echo "ok a video on cuda" \
	|| { cat "$work/log"; echo "not ok a video on cuda"; }
