#!/bin/sh
# Configs are read whole: every key of lang/settings.def with values that may and
# that may not stand there, keys that no class has, and files that do not belong
# together.
. tests/tools/cli.sh

DEF=$ROOT/lang/settings.def
small='"block_out_channels": [8, 8], "layers_per_block": 1, "norm_num_groups": 4'
unet="$small, \"cross_attention_dim\": 8, \"num_attention_heads\": 2"
# table CLASS: the model and the rest of a small config
table() {
	size="-D height=8 -D width=8"
	case $1 in
	IMAGE) model=animatediff.slu name=UNet2DConditionModel rest="$unet,
		\"down_block_types\": [\"CrossAttnDownBlock2D\", \"DownBlock2D\"],
		\"up_block_types\": [\"UpBlock2D\", \"CrossAttnUpBlock2D\"]" ;;
	MOTION) model=animatediff.slu name=UNetMotionModel rest="$unet,
		\"down_block_types\": [\"CrossAttnDownBlockMotion\", \"DownBlockMotion\"],
		\"up_block_types\": [\"UpBlockMotion\", \"CrossAttnUpBlockMotion\"]" ;;
	ADAPTER) table IMAGE; name=MotionAdapter rest="\"motion_layers_per_block\": 1" ;;
	SPACETIME) model=svd.slu name=UNetSpatioTemporalConditionModel rest="$small, \"num_attention_heads\": 2,
		\"down_block_types\": [\"CrossAttnDownBlockSpatioTemporal\", \"DownBlockSpatioTemporal\"],
		\"up_block_types\": [\"UpBlockSpatioTemporal\", \"CrossAttnUpBlockSpatioTemporal\"]" ;;
	VAE) model=vae_decode.slu name=AutoencoderKL rest=$small ;;
	TEMPORAL) model=vae_temporal.slu name=AutoencoderKLTemporalDecoder rest=$small ;;
	TEXT) size= model=clip_text.slu name=clip_text_model rest='"num_hidden_layers": 1' ;;
	VISION) size="-D height=28 -D width=28" model=clip_vision.slu name=clip_vision_model rest='"num_hidden_layers": 1' ;;
	esac
}
# config CLASS 'KEYS': to config.json, with what goes before it to $configs
config() {
	configs=
	table "$1"
	if [ "$1" = ADAPTER ]; then
		table IMAGE
		echo "{\"_class_name\": \"$name\", $rest}" >unet.json
		configs="--config unet.json"
		table ADAPTER
	fi
	kind=_class_name
	case $1 in TEXT | VISION) kind=model_type ;; esac
	echo "{\"$kind\": \"$name\", $rest$2}" >config.json
	configs="$configs --config config.json"
}
compiles() {
	run compile $model $configs $size --quiet -o a.slb
	[ $code -eq 0 ]
}
# SETTING and ENCODER rows as: KEY VALUES CLASS...
rows=$(sed -n 's/^ENCODER("\(.*\)")$/SETTING(TEXT | VISION, "\1", "")/; s/^SETTING(\([A-Z |]*\), "\([^"]*\)", "\(.*\)").*/\2 <\3> \1/p; t
	s/^SETTING/SETTING/; T; s/^SETTING(\([A-Z |]*\), "\([^"]*\)", "\(.*\)").*/\2 <\3> \1/p' "$DEF" | tr -d '|\\' | sort -u)
[ "$(echo "$rows" | wc -l)" -gt 90 ] || echo "not ok the table is read"

all=yes any=0 some=0
for class in IMAGE MOTION ADAPTER SPACETIME VAE TEMPORAL TEXT VISION; do
	keys=
	while read -r key values classes; do
		case " $classes " in *" $class "*) ;; *) continue ;; esac
		case $values in
		"<>")
			any=$((any + 1))
			case $key in model_type | *_channels | *_types | use_*quant_conv | projection_dim) continue ;; esac
			keys="$keys, \"$key\": 7"
			continue ;;
		*null* | "<0>" | "<1>" | "<3>") bad=7 ;;
		"<false>") bad=true ;;
		"<true>") bad=false ;;
		*) bad='"other"' ;;
		esac
		some=$((some + 1))
		config $class ", \"$key\": $bad"
		run compile $model $configs $size --quiet -o a.slb
		[ $code -eq 3 ] && says "setting \"$key\" is $bad" || all="$class $key: $bad"
	done <<EOF
$rows
EOF
	config $class "$keys"
	compiles || all="$class with $keys"
	config $class ', "frobnication": null, "_note": 3'
	compiles || all="$class with a null"
	config $class ', "frobnication": [1, 2]'
	compiles
	[ $code -eq 3 ] && says 'setting "frobnication": [1, 2] is not known' || all="$class frobnication"
done
check "settings that change nothing, and those that would ($some)" [ "$all" = yes ]
config IMAGE ', "mid_block_type": null'
compiles
check "a null may mean something" says 'setting "mid_block_type" is null'
config IMAGE ', "only_cross_attention": [false, false]'
check "a list for each level" compiles

config SPACETIME ', "num_frames": 25, "cross_attention_dim": 1024'
compiles
check "frames are the config's" sh -c '"$1" dis a.slb | grep -q "input latent.*f=25,"' - "$SLUICE"
run compile image_to_video.slu --component unet=. --quiet -o a.slb -D height=8 -D width=8
check "in a pipeline too" sh -c '"$1" dis a.slb | grep -q "input noise.*f=25,"' - "$SLUICE"
config SPACETIME ', "projection_class_embeddings_input_dim": 99'
compiles
check "three numbers describe a clip" says "projection_class_embeddings_input_dim 99"

config ADAPTER ', "block_out_channels": [8, 8, 8]'
compiles
check "an adapter for another base" says "config.json: this motion adapter is made for another base: 3 levels, the UNet has 2"
config ADAPTER ', "conv_in_channels": 9'
compiles
check "an adapter of PIA's" says "PIA adapters (conv_in_channels 9"
echo '{"_class_name": "ControlNetModel"}' >config.json
compiles
check "another class" says "a config of class ControlNetModel is none of AnimateDiff's UNet"
