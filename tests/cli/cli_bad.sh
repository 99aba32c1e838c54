#!/bin/sh
# Bad input: each kind is refused with its place, the documented exit code, and
# nothing half-written.
. tests/tools/cli.sh

MODEL=$PIPELINE/model
"$SLUICE" compile tiny.slu -o tiny.slb --quiet
X=x:f32:4x4x8=0.5
CONV="conv.weight:f32:8x8x3x3=0.1 conv.bias:f32:8=0"
OUT="out.weight:f32:8x8=0.1 out.bias:f32:8=0"
tensors x.safetensors $X
tensors w.safetensors $CONV $OUT

# ---- sources ----
source_error() {
	name=$1 text=$2
	cat >bad.slu
	refused "$name" 3 "$text" compile bad.slu -o bad.slb
}
source_error "a syntax error" "bad.slu:3:1: error: expected a name, found" <<'EOF'
model m(x: [h=4, c=8]) -> y {
    return x |>
}
EOF
source_error "a shape error" "bad.slu:2:12: error: " <<'EOF'
model m(x: [h=4, c=8], y: [h=5, c=8]) -> z {
    return x + y
}
EOF
source_error "a name that there is not" "bad.slu:2:17: error: " <<'EOF'
model m(x: [h=4, c=8]) -> y {
    return x |> silo
}
EOF
source_error "no model" "bad.slu defines 0 models" <<'EOF'
param n = 4
EOF
source_error "a tensor larger than any machine" "more than 2^44 elements" <<'EOF'
model m(x: [f=2000000000, h=2000000000, c=8]) -> y { return x |> silu }
EOF
source_error "a loop without an end in sight" "the program has more than 200000 values" <<'EOF'
model m(x: [h=4, c=8]) -> y {
    for i in 0..2000000000 { x = x |> silu }
    return x
}
EOF
printf 'model m(x: [h=4, c=8]) -> y { return %s }\n' "$(printf '%100000s' '' | tr ' ' '(')" >bad.slu
refused "brackets in brackets in brackets" 3 "bad.slu:1:" compile bad.slu
refused "a source that is not there" 8 "cannot read 'none.slu': No such file" compile none.slu
refused "an unknown parameter" 3 "-D m: no parameter has this name" compile tiny.slu -D m=3
refused "a parameter of another kind" 3 "parameter 'n': -D n is string, the default is int" compile tiny.slu -D n=x
refused "an extent of nothing" 3 "tiny.slu:2:16: error: the extent of h must be a positive int, this is 0" compile tiny.slu -D n=0
refused "an extent past 2^31" 3 "positive int, this is 999999999999" compile tiny.slu -D n=999999999999
refused "a number past 64 bits" 3 "-D n: '99999999999999999999'" compile tiny.slu -D n=99999999999999999999
refused "a model that there is not" 3 "no model or pipeline called 'b'" compile tiny.slu --model b

# ---- configs ----
refused "the config of another class" 3 "a config of class AutoencoderKL is none of AnimateDiff's UNet" \
	compile animatediff.slu --config "$MODEL/vae/config.json" -o bad.slb
refused "the config of another library" 3 "a config of class clip_text_model is none of an image decoder" \
	compile vae_decode.slu --config "$MODEL/text_encoder/config.json"
refused "the config of another component" 3 "a config of class UNet2DConditionModel is none of an image decoder" \
	compile text_to_video.slu --hf "$MODEL" --component "vae=$MODEL/unet"
for model in vae_encode vae_temporal svd clip_text clip_vision; do
	refused "another class for $model" 3 "a config of class UNet2DConditionModel is none of" \
		compile $model.slu --config "$MODEL/unet/config.json" -D levels=1
done
printf '{"block_out_channels": [8,\n  16' >broken.json
refused "a broken config" 3 "broken.json:2:5: " compile vae_decode.slu --config broken.json
echo '[1, 2]' >list.json
refused "a config that is no object" 3 "list.json:1:1: this is not a JSON object" compile vae_decode.slu --config list.json
echo '{"block_out_channels": "wide"}' >kind.json
refused "a setting of another kind" 3 "config key \"block_out_channels\" is string" compile vae_decode.slu --config kind.json
refused "a config that is not there" 8 "cannot read 'none.json'" compile vae_decode.slu --config none.json
refused "a folder that is not there" 8 "cannot read 'nowhere'" compile text_to_video.slu --hf nowhere

# ---- budgets ----
budget() {
	name=$1
	shift
	refused "an impossible budget: $name" 6 "cannot be met: phase '" "$@" --memory 1KiB
	check "it names the operation and what lives there" \
		grep -Eq '^ +[0-9.]+ [KMG]iB  ' "$MESSAGES/err"
	least=$(sed -n 's/^note: the smallest budget that fits is .*(\([0-9]*\) bytes)$/\1/p' "$MESSAGES/err")
	run "$@" --json --memory "$least"
	check "the budget that it names fits" [ "$code" -eq 0 ]
	check "and holds" [ "$(sed 's/.*"peak_bytes": \([0-9]*\), "host.*/\1/' "$MESSAGES/out")" -le "$least" ]
	refused "a hundredth less does not" 6 "cannot be met" "$@" --memory $((least - least / 100))
}
budget "one model" compile tiny.slu
budget "a decoder" compile vae_decode.slu --config "$MODEL/vae/config.json" -D frames=4 -D height=16 -D width=16
budget "a pipeline" compile text_to_video.slu --hf "$MODEL" --component "unet=$MODEL/unet,$PIPELINE/motion_adapter" \
	-D frames=4 -D height=8 -D width=8
for size in 0 -1 lots 1e99GiB nan 6GiBs 0x; do
	refused "a budget of $size" 2 "--memory: '$size' is not a size such as 6GiB" compile tiny.slu --memory $size
done
refused "an impossible budget of a run file" 6 "smallest budget that fits" generate run.yaml --set memory=1KiB

# ---- plans ----
head -c 200 tiny.slb >short.slb
cp tiny.slb flipped.slb
printf '\377' | dd of=flipped.slb bs=1 seek=700 conv=notrunc 2>/dev/null
(cat tiny.slb; echo) >long.slb
for plan in short.slb flipped.slb long.slb run.yaml /dev/null; do
	for command in "run --out y" bench dis dot; do
		refused "$command of $plan" 4 "$plan: " $command "$plan"
	done
	run verify "$plan"
	check "verify of $plan" [ $code -eq 4 ]
done
size=$(wc -c <tiny.slb) at=0 accepted=
while [ $at -lt "$size" ]; do
	head -c $at tiny.slb >short.slb
	run verify --quiet short.slb
	[ $code -eq 4 ] || accepted="$accepted $at"
	head -c $at tiny.slb >flipped.slb
	tail -c +$((at + 1)) tiny.slb | tr '\000-\377' '\200-\377\000-\177' | head -c 1 >>flipped.slb
	tail -c +$((at + 2)) tiny.slb >>flipped.slb
	run verify --quiet flipped.slb
	[ $code -eq 4 ] || accepted="$accepted flip:$at"
	at=$((at + 97))
done
check "cut anywhere, or with a bit flipped: exit code 4" [ -z "$accepted" ]
refused "a plan that is not there" 8 "cannot read 'none.slb'" run none.slb
refused "a plan with more steps asked of it" 2 "the plan has no denoising steps" bench tiny.slb --steps 2

# ---- more memory than there is ----
limited() {
	(ulimit -v 1000000 && exec "$SLUICE" "$@" >"$MESSAGES/out" 2>"$MESSAGES/err" </dev/null)
	code=$?
}
limited --help
if [ $code -eq 0 ]; then                # not under a sanitizer
	"$SLUICE" compile vae_decode.slu -D frames=8 --unsliced --quiet -o large.slb
	limited bench large.slb
	check "a plan larger than the machine" [ $code -eq 7 ]
	check "its size is told" says "GiB for the plan: Cannot allocate memory"
	rm large.slb
fi

# ---- weights ----
weights() {
	name=$1 want=$2 text=$3
	shift 3
	[ $# -eq 0 ] || tensors bad.safetensors "$@"
	refused "$name" "$want" "$text" run tiny.slb --weights bad.safetensors --in x.safetensors --out y.safetensors
}
weights "missing weights, with the nearest name" 5 "missing: out.weight [8,8]; the nearest name is out.weigh [8,8]" \
	$CONV out.weigh:f32:8x8=0 out.bias:f32:8=0
weights "all missing weights at once" 5 "missing: conv.bias [8]" $OUT conv.weight:f32:8x8x3x3=0
weights "mis-shaped weights" 5 "conv.bias: the model wants [8], the file has [9]" conv.weight:f32:8x8x3x3=0 conv.bias:f32:9=0 $OUT
weights "weights of integers" 5 "conv.bias is I32; wanted is F32" conv.weight:f32:8x8x3x3=0 conv.bias:i32:8=0 $OUT
weights "NaN weights" 9 "tensor 'out.bias': element 0 is nan" $CONV out.weight:f32:8x8=0 out.bias:f32:8=nan
weights "infinite weights" 9 "tensor 'conv.bias': element 0 is -inf" conv.weight:f32:8x8x3x3=0 conv.bias:f32:8=-inf $OUT
head -c 2000 w.safetensors >bad.safetensors
weights "truncated weights" 5 "ends behind the end of the file"
head -c 5 w.safetensors >bad.safetensors
weights "weights of five bytes" 5 "shorter than 8 bytes"
refused "weights that are not there" 8 "cannot open 'none'" run tiny.slb --weights none --in x.safetensors
refused "weights that are not given" 2 "the plan has 4 weights: give --weights PATH" run tiny.slb --in x.safetensors
mkdir empty
refused "a folder without weights" 5 "'empty': the folder holds no" run tiny.slb --weights empty --in x.safetensors

# A header, as it stands, in front of 32 bytes of data.
header() {
	name=$1 text=$2 json=$3
	{
		printf "\\$(printf %03o $((${#json} % 256)))\\$(printf %03o $((${#json} / 256)))\0\0\0\0\0\0"
		printf %s "$json"
		printf %32s ''
	} >bad.safetensors
	weights "a header with $name" 5 "$text"
}
entry='"dtype":"F32","shape":[8],"data_offsets":[0,32]'
header "no JSON" "header" '{"a":{'"$entry"
header "a key twice" "duplicate key" '{"a":{'"$entry"'},"a":{'"$entry"'}}'
header "overlapping tensors" "overlaps another" '{"a":{'"$entry"'},"b":{'"$entry"'}}'
header "a hole" "hole" '{"a":{"dtype":"F32","shape":[4],"data_offsets":[16,32]}}'
header "bytes behind the last tensor" "behind the last tensor" '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
header "a size that overflows" "overflow" '{"a":{"dtype":"F32","shape":[2147483648,2147483648,2147483648],"data_offsets":[0,32]}}'
header "a negative extent" "no plain integer" '{"a":{"dtype":"F32","shape":[-8],"data_offsets":[0,32]}}'
header "an unknown type" "unknown dtype" '{"a":{"dtype":"F31","shape":[8],"data_offsets":[0,32]}}'
header "ESC and a newline in a name" "control byte" '{"a\u001b[31m\nb":{'"$entry"'}}'
check "and it does not reach the terminal" [ "$(wc -l <"$MESSAGES/err")" -eq 1 ]
printf '\377\377\377\377\377\377\377\177{}' >bad.safetensors
weights "a header of 2^63 bytes" 5 "9223372036854775807 bytes"

# ---- inputs ----
input() {
	name=$1 want=$2 text=$3
	shift 3
	tensors in.safetensors "$@"
	refused "$name" "$want" "$text" run tiny.slb --weights w.safetensors --in in.safetensors --out y.safetensors
}
input "an input of another name" 5 "input 'x' [h=4, w=4, c=8] is missing" y:f32:4x4x8=0
input "an input of another shape" 5 "input 'x' is [4, 4, 9] in the file, the plan wants [h=4, w=4, c=8]" x:f32:4x4x9=0
input "an input with NaN" 9 "input 'x' has a NaN or infinity (element 0)" x:f32:4x4x8=nan
refused "no inputs" 5 "input 'x' [h=4, w=4, c=8] is missing" run tiny.slb --weights w.safetensors
refused "inputs that are not there" 8 "cannot open 'none'" run tiny.slb --weights w.safetensors --in none
refused "inputs that are no tensors" 5 "run.yaml" run tiny.slb --weights w.safetensors --in run.yaml
cat >text.slu <<'EOF'
model text(tokens: i32[token=4]) -> y { return tokens |> embed(10, 8) @table }
EOF
"$SLUICE" compile text.slu -o text.slb --quiet
tensors t.safetensors table.weight:f32:10x8=1
for id in 10 -1 2000000000; do
	tensors in.safetensors tokens:i32:4=$id
	refused "token id $id" 5 "an id is outside the table of 10 rows" \
		run text.slb --weights t.safetensors --in in.safetensors --out y.safetensors
done
tensors in.safetensors tokens:f32:4=1
refused "tokens that are no integers" 5 "input 'tokens' is f32 in the file, the plan wants i32" \
	run text.slb --weights t.safetensors --in in.safetensors --out y.safetensors

# ---- tokens and samplers ----
line() {
	name=$1 text=$2
	shift 2
	"$SLUICE" tokenize "$MODEL/tokenizer" "$@" >"$MESSAGES/out" 2>"$MESSAGES/err"
	code=$?
	check "$name" [ $code -eq 5 ]
	check "its line is told" says "$text"
}
printf 'a\nb\377\n' | line "a text that is no UTF-8" "line 2 is not valid UTF-8"
printf '"a\n' | line "a JSON string without an end" "line 1, column 1: string without end" --quoted
printf '[1]\n' | line "JSON that is no string" "line 1 is no JSON string" --quoted
refused "a tokenizer that is not there" 8 "cannot read 'nowhere'" tokenize nowhere
sampler() {
	name=$1 want=$2 text=$3
	shift 3
	cat >bad.json
	refused "$name" "$want" "$text" sampler "$@"
}
good=$MODEL/scheduler/scheduler_config.json
sampler "an unknown scheduler" 3 "bad.json: the scheduler's class 'DIMScheduler' is not known; did you mean 'DDIMScheduler'?" \
	bad.json --steps 5 <<'EOF'
{"_class_name": "DIMScheduler"}
EOF
sampler "a scheduler's setting that is no number" 3 "bad.json: scheduler setting 'beta_start' must be" bad.json --steps 5 <<'EOF'
{"_class_name": "DDIMScheduler", "beta_start": "low"}
EOF
sampler "a sampler without steps" 2 "sampler needs --steps N" "$good" </dev/null
sampler "a case without its list" 3 "bad.json: 'start' must be a list of numbers" "$good" --steps 2 --apply bad.json <<'EOF'
{"begin": [1, 2]}
EOF
sampler "a case with a list too short" 3 "bad.json: 'model_output' must be a list of numbers, as long as 'start'" \
	"$good" --steps 2 --apply bad.json <<'EOF'
{"start": [1, 2], "model_output": [[1, 2], [1]]}
EOF

# ---- place ----
place() {
	name=$1 text=$2
	cat >bad.csv
	refused "$name" 3 "$text" place bad.csv -o placed.csv
}
place "a CSV without its columns" "bad.csv:1:1: " <<'EOF'
id,lower,upper
a,0,1
EOF
place "a CSV line with a field too few" "bad.csv:3:1: 3 fields, but the header has 4" <<'EOF'
id,lower,upper,size
a,0,1,5
b,0,1
EOF
place "a size that is none" "bad.csv:2:7: size is not a 64-bit integer" <<'EOF'
id,lower,upper,size
a,0,1,big
EOF
place "a lifetime that ends before it begins" "bad.csv:2:5: upper must be greater than lower" <<'EOF'
id,lower,upper,size
a,5,5,1
EOF
place "sizes past 64 bits" "bad.csv:2:7: size is not a 64-bit integer" <<'EOF'
id,lower,upper,size
a,0,1,99999999999999999999
EOF
place "sizes whose sum is past 64 bits" "bad.csv:2:1: the sizes and alignments up to here" <<'EOF'
id,lower,upper,size
a,0,1,4611686018427387904
b,0,1,4611686018427387904
EOF
printf 'id,lower,upper,size\na,0,2,4\nb,1,3,4\n' >good.csv
run place good.csv --deadline 0 --json
check "a deadline of zero is a placement all the same" grep -q '"height": 8' "$MESSAGES/out"
run place good.csv --capacity 7 -o best.csv
check "a capacity that is missed" [ $code -eq 6 ]
check "with the best offsets written" grep -q '^b,1,3,4,4$\|^a,0,2,4,4$' best.csv
