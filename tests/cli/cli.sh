#!/bin/sh
# The command line as a user meets it: help, options, data on standard output
# and messages on standard error, --json, outputs that cannot be written.
. tests/tools/cli.sh

commands=$(sed -n 's/^COMMAND(\([a-z]*\),.*/\1/p' "$ROOT/compiler/cli/options.def")
ONE_TEXT=$(printf 'a\033[31mb')

# ---- help comes from the one table ----
run --help
check "help goes to standard output" [ $code -eq 0 ]
listed=$(sed -n 's,^  \([a-z][a-z]*\)  .*,\1,p' "$MESSAGES/out")
check "help lists every command" [ "$listed" = "$commands" ]
run
check "no command is a misuse" [ $code -eq 2 ]
all=yes
for c in $commands; do
	run "$c" --help
	[ $code -eq 0 ] || all="$c --help"
	for o in $(sed -n "s/^OPTION(\"\([^\"]*\)\", \"\([^\"]*\)\".*/\1 --\2/p" \
		"$ROOT/compiler/cli/options.def" | awk -v c="$c" '{
			for (i = 1; i < NF; i++) if ($i == c) print $NF }'); do
		grep -q -e "$o " "$MESSAGES/out" || all="$c $o"
	done
done
check "each command's help lists its options" [ "$all" = yes ]

# ---- misuse ----
refused "a misspelt command" 2 "did you mean 'compile'?" comple tiny.slu
refused "a misspelt option" 2 "did you mean --output?" compile tiny.slu --outptu a
refused "an option of another command" 2 "verify has no option --seed" verify a --seed 3
refused "an option without its value" 2 "--output needs a value: FILE" compile tiny.slu --output
refused "a flag with a value" 2 "--json takes no value" compile tiny.slu --json=yes
refused "no operand" 2 "usage: sluice compile [options] M.slu" compile
refused "too many operands" 2 "usage:" compile tiny.slu tiny.slu
refused "a number that is none" 2 "--threads: 'x' is not an integer in 1 .. 1024" compile tiny.slu --threads x
refused "a type that there is not" 2 "--dtype: 'f64' is none of f32, f16, bf16" compile tiny.slu --dtype f64
refused "a device that there is not" 2 "--device: 'tpu' is no target" compile tiny.slu --device tpu
refused "goals that exclude each other" 2 "--min-memory and --unsliced exclude each other" compile tiny.slu --min-memory --unsliced
refused "pictures that exclude each other" 2 "--graph and --memory exclude each other" dot tiny.slu --memory --graph
refused "a pass that there is not" 2 "--dump: 'GQ'" compile tiny.slu --dump GQ
refused "--config of a pipeline" 2 "is a pipeline: use --hf FOLDER" compile text_to_video.slu --hf "$PIPELINE/model" --config "$PIPELINE/model/unet/config.json"
refused "--hf of a model" 2 "use --config FOLDER/config.json" compile vae_decode.slu --hf "$PIPELINE/model" -D frames=1 -D height=8 -D width=8
refused "a component that there is not" 2 "no component 'unte'; did you mean 'unet'?" compile text_to_video.slu \
	--hf "$PIPELINE/model" --component "unte=$PIPELINE/model/unet"
refused "progress that there is not" 2 "--progress: 'bar' is neither json nor none" generate run.yaml --progress bar

# ---- a plan, and what is said of it ----
run compile tiny.slu -o tiny.slb
check "compile prints a summary" grep -q '^  peak  *[0-9.]* [KM]iB' "$MESSAGES/out"
check "and no messages" [ ! -s "$MESSAGES/err" ]
run compile tiny.slu -o b.slb --quiet
check "--quiet prints nothing" [ ! -s "$MESSAGES/out" ]
run compile tiny.slu -o - --quiet
check "-o - writes the plan to standard output" [ "$(head -c 6 "$MESSAGES/out")" = SLUICE ]
run compile tiny.slu -o -
check "and then the summary is a message" says "load bound"
refused "a table and a picture" 2 "--output - and --json both want" frontier tiny.slu --json -o -
refused "not two things to standard output" 2 "--output - and --json both want" compile tiny.slu -o - --json
run compile - -o c.slb --quiet <tiny.slu
check "a source comes from standard input" [ $code -ne 0 ]
"$SLUICE" compile - -o c.slb --quiet <tiny.slu
check "and really does" [ -s c.slb ]

# Every key that the JSON of a command promises.
keys() {
	for k; do
		grep -q "\"$k\": " "$MESSAGES/out" || { echo "# no key $k"; return 1; }
	done
}
run compile tiny.slu --json
check "compile --json has its keys" keys peak_bytes host_peak_bytes arena_bytes \
	load_bound_bytes floor_bound_bytes weights_bytes weights_peak_bytes phases \
	name peak_op live ops groups instructions flops predicted_seconds unsliced \
	order_proven placement_proven compile_seconds target profile
check "compile --json is one object" [ "$(tr -d '\n' <"$MESSAGES/out" | sed 's/^{.*}$/object/')" = object ]
run verify tiny.slb --json
check "verify --json has its keys" keys plan ok gates format types memory instructions arena_bytes peak_bytes
run bench tiny.slb --json
check "bench --json has its keys" keys seconds seconds_per_step planned_peak_bytes measured_peak_bytes device backend ops gflop_per_second
tensors x.safetensors x:f32:4x4x8=0.5
tensors w.safetensors conv.weight:f32:8x8x3x3=0.1 conv.bias:f32:8=0 out.weight:f32:8x8=0.1 out.bias:f32:8=0
run run tiny.slb --weights w.safetensors --in x.safetensors --out y.safetensors --json
check "run --json has its keys" keys seconds seconds_per_step planned_peak_bytes measured_peak_bytes device
planned=$(sed 's/.*"planned_peak_bytes": \([0-9]*\).*/\1/' "$MESSAGES/out")
measured=$(sed 's/.*"measured_peak_bytes": \([0-9]*\).*/\1/' "$MESSAGES/out")
check "planned and measured peak are the same" [ "$planned" = "$measured" ]
run run tiny.slb --weights w.safetensors --in x.safetensors --out -
check "run --out - writes tensors to standard output" cmp -s "$MESSAGES/out" y.safetensors
check "and its report is a message" says "measured"
run generate run.yaml --json
check "generate --json has its keys" keys seconds seconds_per_step planned_peak_bytes measured_peak_bytes device outputs
check "the GIF is there" [ "$(head -c 6 out.gif)" = GIF89a ]
run generate run.yaml --dry-run --json --set model=nowhere
check "--dry-run wants the configs" [ $code -eq 8 ]
run generate run.yaml --dry-run --json
check "generate --dry-run --json is the plan's summary" keys peak_bytes phases predicted_seconds
rm -f out.gif
run generate run.yaml --dry-run
check "--dry-run prints peaks by phase" grep -q '^    decode  *[0-9.]* [KM]iB' "$MESSAGES/out"
check "and makes nothing" [ ! -e out.gif ]
run generate run.yaml --progress=json --quiet
check "--progress=json prints a JSON line for a report" \
	grep -q '^{"phase": "[a-z]*", "step": [0-9]*, "steps": 2, .*"fraction": [0-9.]*, .*"eta_seconds": [n0-9]' "$MESSAGES/err"
run generate run.yaml --quiet
check "--quiet says nothing" [ ! -s "$MESSAGES/err" ]
run generate run.yaml
check "no bar where there is no terminal" sh -c '! grep -q "%" "$1"' - "$MESSAGES/err"
run dis tiny.slb --json
check "dis --json has its keys" keys code buffers
run dis tiny.slb -o -
check "dis -o - is standard output" grep -q conv "$MESSAGES/out"

# ---- options do something ----
changes() {
	name=$1 what=$2
	shift 2
	run "$@"
	check "$name" sh -c '! cmp -s "$1" "$2"' - "$MESSAGES/out" "$what"
}
plan() {
	run compile text_to_video.slu --hf "$PIPELINE/model" -D frames=4 -D height=8 -D width=8 --json "$@"
	sed 's/.*"peak_bytes": \([0-9]*\), "host.*/\1/' "$MESSAGES/out"
}
usual=$(plan)
check "--dtype changes the plan" [ "$(plan --dtype f16)" -ne "$usual" ]
check "-D changes the plan" [ "$(plan -D frames=5)" != "$usual" ]
check "--threads changes the plan" [ "$(plan --threads 1)" -lt "$usual" ]
check "--min-memory lowers the peak" [ "$(plan --min-memory)" -le "$usual" ]
check "--unsliced does not" [ "$(plan --unsliced)" -ge "$usual" ]
run dot tiny.slb
mv "$MESSAGES/out" graph.dot
changes "dot --memory is another picture" graph.dot dot tiny.slb --memory
changes "dot --groups is another picture" graph.dot dot tiny.slb --groups
run bench tiny.slb --trace t.json
check "--trace writes events" grep -q '"ph": "X"' t.json
run compile tiny.slu --dump GB
check "--dump prints after the passes named" says "> after emit"
check "and not after others" sh -c '! grep -q "> after fuse" "$1"' - "$MESSAGES/err"
run run tiny.slb --weights w.safetensors --in x.safetensors --out z.safetensors --poison --threads 1 --quiet
check "--poison changes nothing in a plan that is right" cmp -s y.safetensors z.safetensors
noise() {
	run generate run.yaml --quiet --set output=n.safetensors "$@"
	cksum <n.safetensors
}
usual=$(noise)
check "one seed, one video" [ "$(noise)" = "$usual" ]
check "seed, prompt, guidance change it" [ "$(noise --set seed=1)" != "$usual" ]
check "a negative prompt changes it" [ "$(noise --set negative_prompt=blurry)" != "$usual" ]
check "keep_latents adds a tensor" [ "$(noise --set keep_latents=true)" != "$usual" ]
"$SLUICE" compile text_to_video.slu --quiet -o p.slb --hf "$PIPELINE/model" \
	--component "unet=$PIPELINE/model/unet,$PIPELINE/motion_adapter" \
	-D frames=1 -D height=4 -D width=4 -D steps=1
tensors tokens.safetensors tokens:i32:2x77=0 guidance:f32:=7.5
by_seed() {
	run run p.slb --weights "$PIPELINE/model" --in tokens.safetensors --out - --quiet \
		--component "unet=$PIPELINE/model/unet,$PIPELINE/motion_adapter" "$@"
	cksum <"$MESSAGES/out"
}
usual=$(by_seed)
check "run: the seed is 0" [ "$(by_seed --seed 0)" = "$usual" ]
check "run --seed fills the noise" [ "$(by_seed --seed 1)" != "$usual" ]
check "threads do not change a bit" [ "$(by_seed --threads 1)" = "$usual" ]
run bench p.slb --steps 1 --seed 3 --json
check "bench --steps" [ $code -eq 0 ]
refused "more steps than the plan has" 2 "--steps: '2' is not an integer in 1 .. 1" bench p.slb --steps 2

# ---- outputs that cannot be written ----
for what in "compile tiny.slu" "compile tiny.slu --quiet" "dis tiny.slb" "dis tiny.slb --json" "dot tiny.slb" \
	"dot tiny.slb --memory" "dot tiny.slb --groups" "report tiny.slb" "diff tiny.slb tiny.slb" \
	"frontier tiny.slu --json"; do
	refused "$what to a full disk" 8 "cannot write '/dev/full': No space left" $what -o /dev/full
	refused "$what to a missing folder" 8 "cannot write 'no/a': No such file" $what -o no/a
	refused "$what over a folder" 8 "cannot write '.': Is a directory" $what -o .
done
full() {
	"$SLUICE" "$@" >/dev/full 2>"$MESSAGES/err" </dev/null
	code=$?
	check "a full disk for the data of $1" [ $code -eq 8 ]
}
full compile tiny.slu
full compile tiny.slu --json
full compile tiny.slu -o - --quiet
full frontier tiny.slu
full report tiny.slb
full diff tiny.slb tiny.slb
full verify tiny.slb
full verify tiny.slb --json
full bench tiny.slb --json
full dis tiny.slb
full dot tiny.slb
full run tiny.slb --weights w.safetensors --in x.safetensors --out -
full run tiny.slb --weights w.safetensors --in x.safetensors --json
full generate run.yaml --dry-run
full sampler "$PIPELINE/model/scheduler/scheduler_config.json" --steps 5
echo a cat | "$SLUICE" tokenize "$PIPELINE/model/tokenizer" >/dev/full 2>"$MESSAGES/err"
check "a full disk for the data of tokenize" says "cannot write to standard output"
printf 'a "cat"\n"b"\n' | "$SLUICE" tokenize "$PIPELINE/model/tokenizer" --json --length 4 >"$MESSAGES/out" 2>"$MESSAGES/err"
check "tokenize --json takes lines as they are" grep -qF '{"text": "a \"cat\"", "cut": true, "ids": [' "$MESSAGES/out"
check "each of them" grep -qF '{"text": "\"b\"", "cut": true, ' "$MESSAGES/out"
printf '%s\n' '"a\nb"' | "$SLUICE" tokenize "$PIPELINE/model/tokenizer" --json --quoted >"$MESSAGES/out" 2>"$MESSAGES/err"
check "or --quoted" grep -qF '{"text": "a\u000ab", "cut": false, ' "$MESSAGES/out"
refused "tensors to a full disk" 8 "No space left" run tiny.slb --weights w.safetensors --in x.safetensors --out /dev/full
refused "tensors to a missing folder" 8 "No such file" run tiny.slb --weights w.safetensors --in x.safetensors --out no/y
refused "a trace to a full disk" 8 "No space left" bench tiny.slb --trace /dev/full --quiet
for suffix in gif y4m safetensors; do
	ln -s /dev/full full.$suffix
	refused "a full disk for .$suffix" 8 "No space left" generate run.yaml --quiet --set output=full.$suffix
	refused "a missing folder for .$suffix" 8 "No such file" generate run.yaml --quiet --set output=no/a.$suffix
done
refused "a missing folder for PNG frames" 8 "cannot write to the folder 'no/a/'" generate run.yaml --quiet --set output=no/a/
# a limit on the size of files is a disk that fills up on the way; the frames
# are noise and hardly shrink
for output in a.gif a.y4m a.safetensors frames/ a.slb; do
	case $output in
	a.slb) set -- compile text_to_video.slu --hf "$PIPELINE/model" -D frames=2 -D height=8 -D width=8 -o a.slb --quiet ;;
	*) set -- generate run.yaml --quiet --set size=64x64 --set "output=$output" ;;
	esac
	before=$(ls -A)
	(ulimit -f 8; exec "$SLUICE" "$@" >"$MESSAGES/out" 2>"$MESSAGES/err" </dev/null)
	code=$?
	check "a file that grows too large: $output" [ $code -eq 8 ]
	check "leaves nothing" [ "$before" = "$(ls -A)" ]
done
echo old >kept.gif
(ulimit -f 1; exec "$SLUICE" generate run.yaml --quiet --set size=64x64 --set output=kept.gif >"$MESSAGES/out" 2>"$MESSAGES/err")
check "an older file stays as it was" [ "$(cat kept.gif)" = old ]

# ---- names ----
odd=$(printf -- '-o "d\x27d\n\033[31m.gif')
run generate run.yaml --set "output=$odd"
check "a name with quotes, a newline, a dash in front" [ -s "$odd" ]
check "ESC in it does not reach the terminal" sh -c '! grep -q "$(printf "\033")" "$1"' - "$MESSAGES/err"
rm -f -- "$odd"
run compile tiny.slu -o -dash.slb --quiet
check "a plan with a dash in front" [ -s ./-dash.slb ]
run verify --quiet -- -dash.slb
check "-- ends the options" [ $code -eq 0 ]
refused "ESC in an option's value" 2 "--dtype: 'a?[31mb'" compile tiny.slu --dtype "$ONE_TEXT"
printf 'model m(x: [h=4, c=8]) -> y { return x |> linear(8) @"a\033[31mb" }\n' >esc.slu
run compile esc.slu
check "ESC in a source does not reach the terminal" sh -c '! grep -q "$(printf "\033")" "$1" "$2"' - "$MESSAGES/err" "$MESSAGES/out"
