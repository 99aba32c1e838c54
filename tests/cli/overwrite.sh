#!/bin/sh
# An output is never an input, whatever its name, and one output is one file.
. tests/tools/cli.sh

INPUT="is an input and would be overwritten"
sums() {
	find . -type f -exec cksum {} + | sort
}
# kept NAME TEXT ARGS...: refused, and no byte of any file is another.
kept() {
	all=$(sums)
	title=$1 says=$2
	shift 2
	refused "$title" 2 "$says" "$@"
	check "$title: all bytes as before" [ "$all" = "$(sums)" ]
}

tensors w.safetensors conv.weight:f32:8x8x3x3=0.1 conv.bias:f32:8=0 out.weight:f32:8x8=0.1 out.bias:f32:8=0
tensors x.safetensors x:f32:4x4x8=0.5
run compile tiny.slu -o tiny.slb --quiet
check "a plan" [ $code -eq 0 ]
run compile tiny.slu -o other.slb --dtype bf16 --quiet
run frontier tiny.slu --json
cp "$MESSAGES/out" points.json
printf 'id,lower,upper,size\na,0,2,3\n' >b.csv
ln -s w.safetensors link.safetensors
ln w.safetensors twin.safetensors
mkdir folder

# ---- compile and what reads plans ----
kept "compile onto its source" "'tiny.slu' $INPUT" compile tiny.slu -o tiny.slu
kept "compile onto its source, by another path" "writing './folder/../tiny.slu' would overwrite 'tiny.slu', an input" \
	compile tiny.slu -o ./folder/../tiny.slu
kept "compile onto a profile" "$INPUT" compile tiny.slu --profile b.csv -o b.csv
for command in report dot dis; do
	kept "$command onto its plan" "'tiny.slb' $INPUT" $command tiny.slb -o tiny.slb
done
kept "report onto its points" "'points.json' $INPUT" report tiny.slb --frontier points.json -o points.json
kept "report onto its source" "'tiny.slu' $INPUT" report tiny.slu -o tiny.slu
kept "frontier onto its source" "'tiny.slu' $INPUT" frontier tiny.slu -o tiny.slu
kept "diff onto its second plan" "'other.slb' $INPUT" diff tiny.slb other.slb -o other.slb
kept "place onto its table" "'b.csv' $INPUT" place b.csv -o b.csv
kept "bench's trace onto the plan" "'tiny.slb' $INPUT" bench tiny.slb --trace tiny.slb

# ---- run ----
for out in w.safetensors x.safetensors tiny.slb link.safetensors twin.safetensors; do
	for option in out trace; do
		kept "run --$option $out" "overw" run tiny.slb --weights w.safetensors --in x.safetensors --$option $out
	done
done
kept "run from a link onto the file" "writing 'w.safetensors' would overwrite 'link.safetensors', an input" \
	run tiny.slb --weights link.safetensors --in x.safetensors --out w.safetensors
kept "run to one file twice" "'new' and './new' are one output" \
	run tiny.slb --weights w.safetensors --in x.safetensors --out new --trace ./new
run run tiny.slb --weights w.safetensors --in x.safetensors --out y.safetensors --quiet
check "a new output" [ $code -eq 0 ]
run run tiny.slb --weights w.safetensors --in x.safetensors --out y.safetensors --quiet
check "an older output may go" [ $code -eq 0 ]
kept "run to one older file twice" "are one output" \
	run tiny.slb --weights w.safetensors --in x.safetensors --out y.safetensors --trace ./y.safetensors
run run tiny.slb --weights w.safetensors --in x.safetensors --out /dev/null --trace /dev/null --quiet
check "a device takes everything" [ $code -eq 0 ]

# ---- generate ----
cp -r "$PIPELINE/model" model
cp -r "$PIPELINE/motion_adapter" adapter
chmod -R u+w model adapter
sed -i "s,$PIPELINE/model,model,g; s,$PIPELINE/motion_adapter,adapter,; s/16x16/8x8/" run.yaml
for file in $(find model adapter -name '*.safetensors'); do
	kept "generate onto $file" "'$file'" generate run.yaml --quiet --set "output=$file"
done
ln -s ../model/vae/diffusion_pytorch_model.safetensors folder/vae.safetensors
kept "generate onto a link to the VAE" "would overwrite" generate run.yaml --quiet --set output=folder/vae.safetensors
kept "generate to one file twice" "are one output" generate run.yaml --quiet --set "output=[a.gif, folder/../a.gif]"
kept "generate to one folder twice" "are one output" generate run.yaml --quiet --set "output=[frames/, folder/../frames/]"
mkdir pictures
SVD=$ROOT/tests/data/pipelines/svd_euler
cp "$SVD/image.png" pictures/0001.png
cat >svd.yaml <<EOF
model: $SVD/model
image: pictures/0001.png
frames: 2
size: 8x8
steps: 1
output: pictures/
EOF
kept "generate's pictures onto the first one" "would overwrite 'pictures/0001.png'" generate svd.yaml --quiet
mv pictures/0001.png pictures/first.png
run generate svd.yaml --quiet --set image=pictures/first.png
check "a picture beside those that are made" [ $code -eq 0 ]
