#!/bin/sh
# sluice generate: run files that are wrong, prompts that are too long, and the
# ways out: GIF, PNG, Y4M, MP4 with an ffmpeg that works, dies, or is missing.
. tests/tools/cli.sh

MODEL=$PIPELINE/model
rm run.yaml

# wrong NAME CODE TEXT: the run file on standard input; MODEL in it is the
# folder.
wrong() {
	name=$1 want=$2 text=$3
	sed "s,MODEL,{base: $MODEL\, unet: [$MODEL/unet\, $PIPELINE/motion_adapter]}," >run.yaml
	refused "$name" "$want" "$text" generate run.yaml
}
wrong "an unknown key, with the nearest" 3 "run.yaml:2:1: unknown key 'promt'; did you mean 'prompt'?" <<'EOF'
model: MODEL
promt: a cat
EOF
wrong "a value of another kind" 3 "run.yaml:2:9: 'frames' is an integer from 1 to 65536" <<'EOF'
model: MODEL
frames: many
EOF
wrong "an alias" 3 "run.yaml:3:9: aliases (*a) are not allowed" <<'EOF'
model: MODEL
prompt: a
output: *a
EOF
wrong "an anchor" 3 "anchors (&a) are not allowed" <<'EOF'
a: &a [x, x, x]
EOF
wrong "what is no YAML" 3 "run.yaml:3:1: found unexpected end of stream while scanning a quoted scalar" <<'EOF'
model: MODEL
prompt: "open
EOF
printf '%s' "$(printf '%5000s' '' | tr ' ' '[')" | wrong "brackets in brackets" 3 "nested deeper than 16"
wrong "no model" 3 "run.yaml: it names no 'model'" <<'EOF'
prompt: a cat
EOF
wrong "no output" 3 "run.yaml: it names no 'output'" <<'EOF'
model: MODEL
EOF
wrong "an output of no known kind" 3 "run.yaml:2:9: 'a.avi': an output ends in .gif" <<'EOF'
model: MODEL
output: a.avi
EOF
wrong "no such scheduler" 3 "the scheduler's class 'DDIMSchedule' is not known; did you mean 'DDIMScheduler'?" <<'EOF'
model: MODEL
output: a.gif
scheduler: {class: DDIMSchedule}
EOF
wrong "a scheduler's setting that there is not" 3 "did you mean 'beta_schedule'" <<'EOF'
model: MODEL
scheduler: {beta_shedule: linear}
EOF
wrong "a scheduler's setting that is not supported" 3 "'beta_schedule': 'cubic' is not supported" <<'EOF'
model: MODEL
output: a.gif
scheduler: {beta_schedule: cubic}
EOF
wrong "more frames than the motion module knows" 3 "the motion module knows 16 frame positions, not 17" <<'EOF'
model: MODEL
output: a.gif
frames: 17
EOF
wrong "a size that the model cannot make" 3 "size 17x16: both sides must be multiples of 2 for this model; 18x16 would do" <<'EOF'
model: MODEL
output: a.gif
size: 17x16
EOF
wrong "more steps than the scheduler has" 3 "1001 steps: this scheduler takes 1 .. 1000" <<'EOF'
model: MODEL
output: a.gif
steps: 1001
EOF
wrong "a model that is not there" 8 "cannot read 'nowhere': there is no such folder" <<'EOF'
model: nowhere
output: a.gif
EOF
wrong "noise that is not there" 8 "cannot open 'none.safetensors'" <<'EOF'
model: MODEL
output: a.gif
noise: none.safetensors
EOF
wrong "noise of another shape" 5 "input 'noise' is [5, 8, 12, 4] in the file, the plan wants [f=2, h=8, w=8, c=4]" <<EOF
model: MODEL
output: a.gif
frames: 2
size: 16x16
noise: $PIPELINE/in.safetensors
EOF
cat >run.yaml <<EOF
model: $MODEL
output: a.gif
EOF
refused "a UNet without its motion adapter" 3 "name a motion adapter as well" generate run.yaml
refused "a run file that is not there" 8 "cannot read 'none.yaml'" generate none.yaml
mkdir other
sed 's/StableDiffusionPipeline/AnimatDiffPipeline/' "$MODEL/model_index.json" >other/model_index.json
refused "a pipeline that there is not" 3 "'AnimatDiffPipeline', the pipeline, is not supported; these are: AnimateDiffPipeline" \
	generate run.yaml --set model=other
refused "an override of no key" 3 "--set frame=2: unknown key 'frame'; did you mean 'frames'?" generate run.yaml --set frame=2
refused "an override that is none" 2 "--set frames: write KEY=VALUE" generate run.yaml --set frames
cp -r "$MODEL" broken
echo '{' >broken/tokenizer/vocab.json
echo '{' >broken/tokenizer/tokenizer.json
parts="{base: broken, unet: [$MODEL/unet, $PIPELINE/motion_adapter]}"
refused "a broken tokenizer" 3 "broken/tokenizer/" generate run.yaml --quiet --set "model=$parts"
rm -r broken/tokenizer
refused "a missing tokenizer" 8 "broken/tokenizer" generate run.yaml --quiet --set "model=$parts"
cp -r "$MODEL/tokenizer" broken/
printf x | dd of=broken/vae/diffusion_pytorch_model.safetensors bs=1 seek=20 conv=notrunc 2>/dev/null
refused "damaged weights" 5 "broken/vae/diffusion_pytorch_model.safetensors" generate run.yaml --quiet --set "model=$parts"

# ---- what is told and done all the same ----
cat >run.yaml <<EOF
model: {base: $MODEL, unet: [$MODEL/unet, $PIPELINE/motion_adapter]}
prompt: a small red boat
frames: 2
size: 16x16
steps: 2
output: out.gif
EOF
long=$(printf '%200s' '' | sed 's/ /a b /g')
run generate run.yaml --set "prompt=$long"
check "a prompt that is too long is cut" [ $code -eq 0 ]
check "with a warning" says "warning: the prompt has 402 tokens, the text encoder takes 77: the rest is cut"
run generate run.yaml --set "negative_prompt=$long"
check "the negative prompt too" says "warning: the negative_prompt has 402 tokens"
run generate run.yaml --quiet --set "prompt=$long"
check "--quiet does not say so" [ ! -s "$MESSAGES/err" ]
refused "a prompt that is no UTF-8" 3 "prompt: this is not valid UTF-8" generate run.yaml --quiet --set "prompt=$(printf 'a\377')"

# ---- samplers ----
alone="{unet: [$MODEL/unet, $PIPELINE/motion_adapter], vae: $MODEL/vae, text_encoder: $MODEL/text_encoder, tokenizer: $MODEL/tokenizer}"
run generate run.yaml --quiet --set "model=$alone" --set output=usual.safetensors
run generate run.yaml --quiet --set "model=$alone" --set output=said.safetensors \
	--set 'scheduler={class: DDIMScheduler, beta_schedule: linear, clip_sample: false, timestep_spacing: linspace, steps_offset: 1}'
check "without a scheduler's folder, settings lie over the default" same_tensors usual.safetensors said.safetensors
run generate run.yaml --quiet --set "model=$alone" --set output=other.safetensors --set 'scheduler={steps_offset: 2, timestep_spacing: leading}'
check "and change what they say" other_tensors usual.safetensors other.safetensors
for class in PNDMScheduler EulerAncestralDiscreteScheduler DPMSolverMultistepScheduler; do
	settings="class: $class, skip_prk_steps: true"
	run generate run.yaml --quiet --set output=plain.safetensors --set "scheduler={$settings}" --set steps=3
	cat >over.json <<EOF
{"_class_name": "$class", "skip_prk_steps": true, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "linear",
"set_alpha_to_one": true, "timestep_spacing": "linspace", "steps_offset": 1, "lambda_min_clipped": -Infinity}
EOF
	run sampler over.json --steps 3 --table
	mv "$MESSAGES/out" table.txt
	run generate run.yaml --quiet --set output=table.safetensors --table table.txt
	check "$class as a table has the same bits" same_tensors plain.safetensors table.safetensors
done
sed 's/^prediction .*/prediction v_prediction/' table.txt >wrong.txt
refused "a table for a model that predicts something else" 3 "predicts 'v_prediction'; the scheduler's config says 'epsilon'" \
	generate run.yaml --quiet --table wrong.txt
sed 's/^model .*/model UNetSpatioTemporalConditionModel/' table.txt >wrong.txt
refused "a table for another class of model" 3 "for models of class UNetSpatioTemporalConditionModel, this one is a UNetMotionModel" \
	generate run.yaml --quiet --table wrong.txt
sed '/^start/d' table.txt >wrong.txt
refused "a table without a start scale" 3 "wrong.txt:9: the table's head lacks 'start'" generate run.yaml --quiet --table wrong.txt
refused "a table that is not there" 8 "cannot read 'nowhere.txt'" generate run.yaml --quiet --table nowhere.txt

# ---- the text encoder ----
run generate run.yaml --quiet --set output=cut.safetensors --set "prompt=$long"
run generate run.yaml --set output=pieces.safetensors --set "prompt=$long" --set long_prompts=true
check "a long prompt in pieces" other_tensors pieces.safetensors cut.safetensors
check "is not cut" sh -c '! grep -q "is cut" "$1"' - "$MESSAGES/err"
run generate run.yaml --quiet --set output=cut.safetensors
run generate run.yaml --quiet --set output=pieces.safetensors --set long_prompts=true
check "a short one is one piece" same_tensors pieces.safetensors cut.safetensors
refused "a prompt of too many pieces" 3 "the prompts need 33 pieces of 77 tokens, at most 32 are taken" \
	generate run.yaml --quiet --set long_prompts=true --set "prompt=$(printf '%2405s' '' | sed 's/ /a /g')"
cp -r "$MODEL/text_encoder" short_text
sed 's/"num_hidden_layers": 2/"num_hidden_layers": 1/' "$MODEL/text_encoder/config.json" >short_text/config.json
parts="base: $MODEL, unet: [$MODEL/unet, $PIPELINE/motion_adapter]"
run generate run.yaml --quiet --set output=all.safetensors
run generate run.yaml --quiet --set output=skip.safetensors --set clip_skip=1
check "clip_skip leaves out a layer" other_tensors skip.safetensors all.safetensors
run generate run.yaml --quiet --set output=short.safetensors --set "model={$parts, text_encoder: short_text}"
check "and keeps the norm behind the layers" same_tensors skip.safetensors short.safetensors
refused "clip_skip of all layers" 3 "skip 2: the text encoder has 2 layers, of which one at least is needed" \
	generate run.yaml --quiet --set clip_skip=2
cp -r "$MODEL/tokenizer" other_tokenizer
sed 's/"pad_token": "[^"]*"/"pad_token": "[PAD]"/' "$MODEL/tokenizer/tokenizer_config.json" >other_tokenizer/tokenizer_config.json
rm -f other_tokenizer/special_tokens_map.json
refused "a token that the text encoder does not know" 3 "they do not belong together" \
	generate run.yaml --quiet --set "model={$parts, tokenizer: other_tokenizer}"

# ---- tensors that nothing reads, and a table that the model computes ----
run generate run.yaml --set output=plain.safetensors
check "an autoencoder's encoder is no unused tensor" sh -c '! grep -q unused "$1"' - "$MESSAGES/err"
mkdir table
cp "$PIPELINE/motion_adapter/config.json" table/
parts="{base: $MODEL, unet: [$MODEL/unet, $PIPELINE/motion_adapter, table]}"
tensors table/diffusion_pytorch_model.safetensors down_blocks.0.motion_modules.0.transformer_blocks.0.pos_embed.pe:f32:1x16x16=0.5
run generate run.yaml --quiet --set "model=$parts" --set output=table.safetensors
check "a file's table of positions is read" other_tensors plain.safetensors table.safetensors
check "and is no unused tensor" [ ! -s "$MESSAGES/err" ]
tensors table/diffusion_pytorch_model.safetensors down_blocks.0.extra:f32:1=0.5
run generate run.yaml --set "model=$parts" --set output=table.safetensors
check "what is left over is listed" says "unused tensors: 1 of"
check "and changes nothing" same_tensors plain.safetensors table.safetensors
tensors table/diffusion_pytorch_model.safetensors down_blocks.0.motion_modules.0.transformer_blocks.0.pos_embed.pe:f32:1x24x16=0.5
refused "a table of another length" 5 "pos_embed.pe: the model wants [16,16], the file has [1,24,16]" \
	generate run.yaml --quiet --set "model=$parts"
(cd / && "$SLUICE" generate "$DIR/run.yaml" --quiet --set output=from_afar.gif)
check "paths are relative to the run file" [ -s from_afar.gif ]

# ---- the ways out ----
run generate run.yaml --set 'output=[a.gif, frames/, a.y4m, a.safetensors]'
check "several outputs of one run" [ -s a.gif ] && [ -s a.y4m ] && [ -s a.safetensors ]
check "a PNG for each frame" [ "$(ls frames)" = "$(printf '0000.png\n0001.png')" ]
cp -r frames kept
run generate run.yaml --quiet --set output=frames/ --set frames=1 --set seed=3
check "older frames are told" [ -s frames/0001.png ] && says "holds older frames, from 0001.png on"
check "and stay" cmp -s frames/0001.png kept/0001.png
check "a new frame takes the old one's place" sh -c '! cmp -s frames/0000.png kept/0000.png'
rm -rf frames kept a.gif

mkdir bin
PATH=$DIR/bin:$PATH
export PATH
ffmpeg() {
	printf '#!/bin/sh\n%s\n' "$1" >bin/ffmpeg
	chmod +x bin/ffmpeg
}
ffmpeg 'for last; do :; done; cat >"${last#file:}"; echo chatter'
run generate run.yaml --json --set output=a.mp4
check "MP4 goes through ffmpeg" cmp -s a.mp4 a.y4m
check "what ffmpeg prints is no data" sh -c '! grep -q chatter "$1"' - "$MESSAGES/out"
odd=$(printf -- '-i "d\x27d\n $(touch oops);.mp4')
run generate run.yaml --quiet --set "output=$odd"
check "whatever the file's name" cmp -s -- "./$odd" a.y4m
check "no shell sees it" [ ! -e oops ]
rm -f a.mp4 -- "./$odd"
run generate run.yaml --quiet --set output=a.webm
check "WebM too" cmp -s a.webm a.y4m
rm a.webm
ffmpeg 'head -c 10 >/dev/null; exec <&-; exit 1'
refused "an ffmpeg that dies while it is fed" 8 "ffmpeg failed (exit code 1)" generate run.yaml --quiet --set size=64x64 --set frames=8 --set output=a.mp4
ffmpeg 'for last; do :; done; echo half >"${last#file:}"; kill -9 $$'
refused "an ffmpeg that is killed" 8 "ffmpeg was ended by signal 9" generate run.yaml --quiet --set output=a.mp4
ffmpeg 'cat >/dev/null'
refused "an ffmpeg that writes nothing" 8 "ffmpeg wrote nothing" generate run.yaml --quiet --set output=a.mp4
rm bin/ffmpeg
mv a.y4m wanted.y4m
PATH=$DIR/bin run generate run.yaml --quiet --set output=b.webm
check "without ffmpeg WebM becomes Y4M" cmp -s b.y4m wanted.y4m
rm -f b.y4m
PATH=$DIR/bin run generate run.yaml --set output=b.mp4
check "without ffmpeg there is a Y4M file" cmp -s b.y4m wanted.y4m
check "and it is said before the work" says "warning: there is no ffmpeg: b.y4m will be written instead of b.mp4"
check "the report names what was written" says "wrote b.y4m"
check "and no MP4" [ ! -e b.mp4 ]

# ---- what made it, in the files ----
run generate run.yaml --quiet --set prompt='a "red" <boat> & more' --set 'output=[a.gif, a.webp, a.safetensors, notes/]'
plan=$(grep -ao '"plan":"[0-9a-f]*"' a.safetensors | cut -d'"' -f4)
check "safetensors say what made them" grep -aqF '{"__metadata__":{"Software":"Sluice ' a.safetensors
check "the prompt, as JSON" grep -aqF '"prompt":"a \"red\" <boat> & more","negative_prompt":"","guidance":"7.5","seed":"0"' a.safetensors
check "and the plan's hash" [ ${#plan} -eq 16 ]
check "a GIF says it too" grep -aqF "plan: $plan" a.gif
check "and a WebP" grep -aqF "sluice:plan=\"$plan\"" a.webp
check "and a PNG" grep -aqF "$plan" notes/0000.png
run generate run.yaml --quiet --set prompt=other --set output=b.safetensors
check "another prompt is the same plan" grep -aqF "\"plan\":\"$plan\"" b.safetensors
run generate run.yaml --quiet --set frames=1 --set output=b.safetensors
check "other frames are another" sh -c '! grep -aqF "$1" b.safetensors' - "$plan"
rm -r a.* b.* notes

# ---- several videos of one plan ----
refused "two videos of one name" 3 "2 videos would be written to 'out.gif': put {n} or {seed} into the name" generate run.yaml --set seed='[1, 2]'
sed 's/^prompt:.*/prompt: [a red boat, a blue boat]/' run.yaml >two.yaml
run generate two.yaml --json --set seed='[3, 4]' --set 'output=["{n}-{seed}.safetensors", "f{n}/"]'
check "four videos" [ "$(ls -d ?-?.safetensors f?)" = "$(printf '1-3.safetensors\n2-4.safetensors\n3-3.safetensors\n4-4.safetensors\nf1\nf2\nf3\nf4')" ]
check "and a report of each" [ "$(grep -c '"seed": [34], "outputs": \["[1-4]-[34].safetensors", "f[1-4]/"\]' "$MESSAGES/out")" -eq 4 ]
check "in one JSON text" "$ROOT/${BUILD:-build}/tests/tools/json_check" "$MESSAGES/out"
mv 3-3.safetensors wanted.safetensors
run generate run.yaml --quiet --set seed=3 --set prompt='a blue boat' --set output=alone.safetensors
check "the same bits as alone" cmp -s alone.safetensors wanted.safetensors
check "other seeds, other bits" other_tensors 1-3.safetensors 2-4.safetensors
check "other prompts too" other_tensors 2-4.safetensors 4-4.safetensors
rm -rf ?-?.safetensors f?

# ---- previews ----
run generate run.yaml --quiet --set steps=5 --preview 2 --set 'output=[look.safetensors, look.y4m]'
check "a preview beside the output" [ "$(head -c 6 look.preview.gif)" = GIF89a ]
run generate run.yaml --quiet --set steps=5 --set output=plain.y4m
check "it changes no bit" cmp -s look.y4m plain.y4m
run generate run.yaml --quiet --preview 1 --set steps=5 --set keep_latents=true --set output=kept.safetensors
check "nor keeps latents that nobody asked for" grep -aqF '"latents":' kept.safetensors
check "unless they are asked for" sh -c '! grep -aqF "\"latents\":" look.safetensors'
cp look.preview.gif second.gif
run generate run.yaml --quiet --set steps=5 --preview 9 --set output=none.safetensors
check "none when none is due" [ ! -e none.preview.gif ]
mkdir taken.preview.gif
run generate run.yaml --set steps=3 --preview 1 --set output=taken.gif
check "a preview that cannot be written does not stop the run" [ $code -eq 0 ] && [ -s taken.gif ]
check "and is told once" [ "$(grep -c 'warning: no preview' "$MESSAGES/err")" -eq 1 ]
refused "no steps between previews" 2 "--preview" generate run.yaml --preview 0
