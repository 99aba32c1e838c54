#!/bin/sh
# sluice generate with a picture to begin with: keys and pictures that are wrong,
# and what each key does.
. tests/tools/cli.sh

SVD=$ROOT/tests/data/pipelines/svd_euler
SEEDS=$ROOT/tests/fuzz/corpus_image
cp "$SVD/image.png" in.png
cat >run.yaml <<EOF2
model: $SVD/model
image: in.png
frames: 2
size: 8x8
steps: 1
output: out.safetensors
EOF2

# ---- keys ----
sed '/^image/d' run.yaml >none.yaml
refused "no picture" 3 "none.yaml: it names no picture to begin with: image: FILE" generate none.yaml
run generate none.yaml --dry-run
check "a dry run needs none" [ $code -eq 0 ]
refused "a prompt" 3 "'prompt' is not a key of this pipeline, which begins with a picture" generate run.yaml --set prompt=x
refused "guidance of prompts" 3 "'guidance' is not a key of this pipeline" generate run.yaml --set guidance=2
for set in image=in.png motion_bucket=1 noise_aug=0 min_guidance=1 max_guidance=2 decode_chunk=1; do
	refused "${set%=*} with a prompt" 3 "'${set%=*}' is not a key of this pipeline, which begins with a prompt" \
		generate none.yaml --set "model={base: $PIPELINE/model, unet: [$PIPELINE/model/unet, $PIPELINE/motion_adapter]}" \
		--set "$set"
done
refused "a ramp that turns guidance off" 3 "max_guidance 1 turns guidance off, min_guidance 2 wants it" \
	generate run.yaml --set min_guidance=2 --set max_guidance=1
refused "a size that the model cannot make" 3 "size 9x8: both sides must be multiples of 2" generate run.yaml --set size=9x8
refused "no frames together" 3 "'decode_chunk' is an integer from 1" generate run.yaml --set decode_chunk=0

# ---- pictures ----
wrong() {
	name=$1 want=$2 text=$3
	refused "$name" "$want" "$text" generate run.yaml --quiet --set "image=$4"
}
wrong "a picture that is not there" 8 "cannot read 'none.png': No such file" none.png
wrong "a folder" 8 "directory" .
echo "no picture" >text.png
wrong "a text" 5 "'text.png' cannot be used as a picture: neither PNG, JPEG nor WebP" text.png
: >empty.png
wrong "an empty file" 5 "it is empty" empty.png
printf 'GIF89a.......' >a.gif
wrong "a GIF" 5 "a GIF; PNG, JPEG and WebP are read" a.gif
head -c 500 in.png >cut.png
wrong "a picture that is cut off" 5 "'cut.png' cannot be used as a picture: the file is cut off" cut.png
wrong "a picture that claims to be huge" 5 "60000x40000 pixels: at most 100 million are read" "$SEEDS/png_huge"
for kind in png_16 png_rgba png_palette png_one jpeg_grey jpeg_cmyk webp_lossy webp_animation; do
	run generate run.yaml --quiet --set "image=$SEEDS/$kind"
	check "a picture of the kind $kind" [ $code -eq 0 ] && [ -s out.safetensors ]
done
run generate run.yaml --set "image=$SEEDS/jpeg_rgb"
check "another shape is told" says "warning: the picture is 6x9, the video 8x8: it is stretched; crop it to 6x6 to keep its shape"

# ---- what the keys do ----
# video OUT --set ...
video() {
	out=$1
	shift
	run generate run.yaml --quiet --set "output=$out" "$@"
}
video a.safetensors
video b.safetensors
check "the same again" cmp -s a.safetensors b.safetensors
differs() {
	video b.safetensors --set "$1"
	check "$1 makes another clip" other_tensors a.safetensors b.safetensors
	rm -f b.safetensors
}
for set in seed=1 motion_bucket=20 noise_aug=0.5 fps=12 max_guidance=1 max_guidance=9 min_guidance=2 decode_chunk=1 "image=$SEEDS/jpeg_rgb"; do
	differs "$set"
done
video b.safetensors --set motion_bucket=127 --set noise_aug=0.02 --set fps=7 --set min_guidance=1 --set max_guidance=3 --set decode_chunk=14
check "the defaults are those of the example" cmp -s a.safetensors b.safetensors
video a.y4m --set fps=12
check "fps is the output's rate" sh -c 'head -1 a.y4m | grep -q " F12000:1000 "'
video a.y4m
check "7 if nothing is said" sh -c 'head -1 a.y4m | grep -q " F7000:1000 "'
# the fixture's noise is for 4 frames of 24x16
video a.safetensors --set frames=4 --set size=24x16 --set "noise=$SVD/in.safetensors"
video b.safetensors --set frames=4 --set size=24x16 --set "noise=$SVD/in.safetensors" --set seed=5
check "a noise file has both noises" same_tensors a.safetensors b.safetensors
