#!/bin/sh
# Folders and files as downloads leave them: pointers and pages instead of weights,
# weights in other forms, links to nothing, caches, single files, byte order marks,
# models of other kinds.
. tests/tools/cli.sh

cp -r "$PIPELINE/model" model
cp -r "$PIPELINE/motion_adapter" adapter
W=diffusion_pytorch_model.safetensors
cat >run.yaml <<EOF
model: {base: model, unet: [model/unet, adapter]}
prompt: a small red boat
frames: 2
size: 16x16
steps: 2
output: out.safetensors
EOF
run generate run.yaml --quiet
check "the model as it should be" [ $code -eq 0 ]
mv out.safetensors plain.safetensors
same() {
	[ $code -eq 0 ] && same_tensors out.safetensors plain.safetensors && rm out.safetensors
}
generate() {
	refused "$1" "$2" "$3" generate run.yaml --quiet
}

# ---- files that are something else ----
kept=model/vae/$W
mv $kept vae.kept
printf 'version https://git-lfs.example/spec/v1\noid sha256:%064d\nsize 3438167540\n' 7 >$kept
generate "a git-lfs pointer" 5 "model/vae/$W': a git-lfs pointer, not the weights: git lfs pull"
printf '<!DOCTYPE html><html><body>access to this model is restricted</body></html>' >$kept
generate "a web page" 5 "model/vae/$W': this is a web page, not weights"
printf '\n <HTML><body></body></html>' >$kept
generate "another page" 5 "this is a web page, not weights"
printf 'Access to model someone/x is restricted.\nPlease log in.' >$kept
generate "a text" 5 "this is a text, not weights: it begins 'Access to model someone/x is restricted.'"
printf 'PK\003\004\000\000\010\010archive/data.pkl' >$kept
generate "a pickle under another name" 5 "a PyTorch pickle"
: >$kept
generate "an empty file" 5 "the file is empty: the download is not complete"
printf 'Entry' >$kept
generate "a short text" 5 "it begins 'Entry'"
rm $kept
generate "no weights at all" 5 "'model/vae': the folder holds no diffusion_pytorch_model"
cp vae.kept model/vae/diffusion_pytorch_model.bin
generate "weights as a pickle alone" 5 "'diffusion_pytorch_model.bin' is a PyTorch pickle, which can run any code when it is read: convert it"
cp vae.kept model/vae/diffusion_pytorch_model.non_ema.safetensors
generate "weights before averaging" 5 "'diffusion_pytorch_model.non_ema.safetensors' is the weights before averaging"
rm model/vae/*.non_ema.* model/vae/*.bin
cp vae.kept model/vae/ours.safetensors
generate "weights under another name" 5 "'ours.safetensors' is a file of another name: give the file itself"
rm model/vae/ours.safetensors
ln -s ../../blobs/0123 $kept
generate "a link to nothing" 8 "$W': it is a link to a file that is missing: the download is not complete"
rm $kept
cp vae.kept $kept
cp model/unet/config.json config.kept
printf 'version https://git-lfs.example/spec/v1\noid sha256:%064d\nsize 1234\n' 7 >model/unet/config.json
generate "a pointer for a config" 3 "'model/unet/config.json': a git-lfs pointer, not the JSON: git lfs pull"
cp config.kept model/unet/config.json
mv model/tokenizer/tokenizer.json t.kept
cp model/tokenizer/merges.txt merges.kept
printf '<html>' >model/tokenizer/merges.txt
generate "a page for merges" 3 "'model/tokenizer/merges.txt': this is a web page, not merges"
cp merges.kept model/tokenizer/merges.txt

# ---- byte order marks ----
for f in model/unet/config.json model/tokenizer/vocab.json model/tokenizer/merges.txt model/model_index.json run.yaml; do
	cp $f kept
	{ printf '\357\273\277'; cat kept; } >$f
	run generate run.yaml --quiet
	check "a byte order mark in $f" same
	cp kept $f
done
{ printf '\357\273\277'; cat tiny.slu; } >marked.slu
run compile marked.slu -o a.slb --quiet
check "a byte order mark in a model" [ $code -eq 0 ]

# ---- what is no model's folder ----
model() {
	refused "$1" "$2" "$3" generate run.yaml --quiet --set "model=$4"
}
model "a repository's name" 8 "cannot read 'someone/stable-diffusion-v1-5': there is no such folder. A model is a folder on this machine" someone/stable-diffusion-v1-5
mkdir -p models--someone/snapshots/abc models--someone/blobs half/snapshots around
model "a cache without a model" 3 "none of its snapshots has a model_index.json" half
cp -r model/. models--someone/snapshots/abc/
model "the root of a cache" 3 "'models--someone' is the root of a download cache; the model is 'models--someone/snapshots/abc'" models--someone
cp -r model around/sd15
model "a folder around the model" 3 "the folder 'sd15' in it has one" around
model "a component" 3 "'model/unet' has a config.json and no model_index.json: it is one component" model/unet
model "weights" 3 "'model/vae/$W' is a file; a model is a folder as diffusers saves it" model/vae/$W
: >v1-5.ckpt
model "a checkpoint" 3 "'v1-5.ckpt' is a PyTorch pickle" v1-5.ckpt
ln -s nowhere link
model "a link" 8 "'link': it is a link to nothing" link
refused "the same of --hf" 3 "the model is 'models--someone/snapshots/abc'" compile text_to_video.slu --hf models--someone
refused "and of --hf with nothing there" 8 "there is no such folder" compile text_to_video.slu --hf nowhere
HOME=$DIR
export HOME
run generate run.yaml --quiet --set 'model={base: ~/model, unet: [~/model/unet, ~/adapter]}'
check "~ is the home folder" same

# ---- components that are one file ----
mkdir lit
cp adapter/$W lit/mm_lightning.safetensors
parts() {
	run generate run.yaml --quiet --set "model={base: model, unet: [model/unet, adapter], $1}"
}
run generate run.yaml --quiet --set 'model={base: model, unet: [model/unet, lit/mm_lightning.safetensors]}'
check "a motion adapter alone" [ $code -eq 0 ]
run generate run.yaml --quiet --set 'model={base: model, unet: [model/unet, adapter/'$W']}'
check "an adapter's weights beside their config" same
parts "vae: model/vae/$W"
check "a decoder's too" same
cp model/vae/$W vae-ft.safetensors
parts "vae: vae-ft.safetensors"
check "another decoder has the base's config" same
refused "a file that is no adapter" 5 "'vae-ft.safetensors' has no config.json beside it, and no motion modules in it" \
	generate run.yaml --quiet --set 'model={base: model, unet: [model/unet, vae-ft.safetensors]}'
refused "an adapter as a pickle" 3 "'v1-5.ckpt' is a PyTorch pickle" \
	generate run.yaml --quiet --set 'model={base: model, unet: [model/unet, v1-5.ckpt]}'
refused "a folder without a config" 8 "'lit' has no config.json; give the file: 'lit/mm_lightning.safetensors'" \
	generate run.yaml --quiet --set 'model={base: model, unet: [model/unet, lit]}'
tensors mm_sd.safetensors down_blocks.0.motion_modules.0.temporal_transformer.norm.weight:f32:8=1
refused "an adapter with its authors' names" 5 "has the names of AnimateDiff's own files" \
	generate run.yaml --quiet --set 'model={base: model, unet: [model/unet, mm_sd.safetensors]}'

# ---- components that a program has no use for ----
cp model/model_index.json index.kept
sed 's/"scheduler": \[/"image_encoder": ["transformers", "CLIPVisionModelWithProjection"],\n  &/; /"image_encoder": \[$/,/\]/d' index.kept >model/model_index.json
grep -q CLIPVision model/model_index.json || echo "not ok the index is changed"
run generate run.yaml --quiet
check "a component that is not used need not be there" same
mv model/vae vae.away
generate "one that is used must" 8 "component 'vae': 'model/vae' has no config.json"
mv vae.away model/vae
mv model/scheduler scheduler.away
generate "so must the scheduler" 8 "component 'scheduler': 'model/scheduler' has no scheduler_config.json"
mv scheduler.away model/scheduler

# ---- models of other kinds ----
for pair in "StableDiffusionXLPipeline:of Stable Diffusion XL" "StableDiffusionInpaintPipeline:of an inpainting model" \
	"LatentConsistencyModelPipeline:of a latent consistency model" "StableDifusionPipeline:,"; do
	sed "s/StableDiffusionPipeline/${pair%%:*}/" index.kept >model/model_index.json
	run generate run.yaml --quiet
	check "${pair%%:*} is told as what it is" sh -c '[ "$1" -eq 3 ] && grep -q "$2" "$3" && ! grep -q "did you mean" "$3"' - \
		$code "'${pair%%:*}', the pipeline.*${pair#*:}" "$MESSAGES/err"
done
cp index.kept model/model_index.json

sed 's/"in_channels": 4/"in_channels": 9/' config.kept >model/unet/config.json
generate "an inpainting UNet" 3 "this UNet is an inpainting model's: it takes 9 channels and makes 4"
cp config.kept model/unet/config.json

# ---- programs that are built in have no lines to look at ----
run generate run.yaml --quiet --set frames=99
check "an error in a built-in program" says "sluice: error: animatediff.slu: the motion module knows 16 frame positions, not 99"
check "shows no line of it" [ "$(wc -l <"$MESSAGES/err")" = 1 ]
run compile "$ROOT/examples/animatediff.slu" -D frames=99 --quiet
check "one that the user has shows it" sh -c 'grep -q "animatediff.slu:[0-9]*:[0-9]*: error" "$1" && grep -q "\^\^\^" "$1"' - "$MESSAGES/err"
