#!/bin/sh
# golden.sh - models and pipelines against diffusers and transformers, on the
# cases of tests/data and the small trained model.
. tests/tools/golden.sh

for case in tests/data/golden/*/; do
	model_case "${case%/}"
done
for case in tests/data/pipelines/*/; do
	pipeline_case "${case%/}"
done
for case in tests/data/samplers/*/; do
	sampler_case "${case%/}"
done

# ---- the trained model: its reference's noise, and noise by seed ----
shapes() {
	"$SLUICE" generate examples/shapes/run.yaml --quiet "$@" \
		--set "output=$got" >"$work/err" 2>&1 || bad='it fails'
}
bad= got=$work/shapes.safetensors
shapes --set noise=reference/in.safetensors
for check in 'latent --limit 1e-3' 'frames --psnr 45'; do
	"$compare" "$got" examples/shapes/reference/out.safetensors $check \
		>"$work/error" 2>&1 || bad=$(cat "$work/error")
done
say 'the shapes model'

seeded() {
	"$SLUICE" generate "$work/seed.yaml" --quiet --set "seed=$1" \
		--set "output=$2" >"$work/err" 2>&1 || bad='it fails'
}
bad=
sed '/^noise:/d' "$work/run.yaml" >"$work/seed.yaml"
seeded 3 "$work/a.safetensors"
seeded 3 "$work/b.safetensors"
seeded 4 "$work/c.safetensors"
cmp -s "$work/a.safetensors" "$work/b.safetensors" || bad='other bits'
other_tensors "$work/a.safetensors" "$work/c.safetensors" || bad='seed ignored'
say 'noise is decided by the seed'

# ---- settings that a model is not written for are refused, not ignored ----
refused() {
	bad=
	printf '%s' "$2" >"$work/config.json"
	"$SLUICE" compile "examples/$1.slu" --config "$work/config.json" \
		-o "$work/none.slb" >"$work/err" 2>&1
	[ $? -eq 3 ] && grep -q "$3" "$work/err" && [ ! -e "$work/none.slb" ] \
		|| bad="not refused because of '$3'"
	say "$1 refuses $2"
}
refused animatediff '{"act_fn": "mish"}' "act_fn 'mish'"
refused animatediff '{"downsample_padding": 0}' 'downsample_padding 0'
refused animatediff '{"addition_embed_type": "text_time"}' 'text_time'
refused animatediff '{"conv_in_channels": 9}' 'conv_in_channels 9'
refused animatediff '{"motion_layers_per_block": 3}' 'other layers'
refused animatediff '{"motion_mid_block_layers_per_block": 2}' 'other layers'
refused animatediff '{"transformer_layers_per_block": [[1, 2], 1, 1, 1]}' 'a list'
refused animatediff '{"up_block_types": "AttnUpBlock2D"}' "'AttnUpBlock2D'"
refused svd '{"down_block_types": "DownBlock3D"}' "type 'DownBlock3D'"
refused vae_decode '{"act_fn": "relu"}' "act_fn 'relu'"
refused vae_decode '{"up_block_types": "AttnUpDecoderBlock2D"}' 'AttnUp'
refused vae_encode '{"down_block_types": "AttnDownEncoderBlock2D"}' 'AttnDown'
refused clip_text '{"hidden_act": "gelu_new"}' "'gelu_new'"
refused clip_text '{"use_attention_mask": true}' 'use_attention_mask'

echo "# $models models, 7 plans each; largest errors: $(largest_errors)"
[ $failed -eq 0 ]
