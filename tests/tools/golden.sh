# golden.sh - functions that run recorded cases of the real libraries (what is in
# their folders: tests/data/README.md) and print "ok" and "not ok" lines.  For
# tests/compiler/golden.sh and, with a folder of more cases, tests/tools/golden_all.sh.
. tests/tools/same.sh
BUILD=${BUILD:-build}
SLUICE=${SLUICE:-$BUILD/sluice}
compare=$BUILD/tests/tools/compare
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
models=0
failed=0

# The value of a key of case.json, as it stands there (strings with their
# quotes); nothing for null.
value() {
	sed -n "s/^ \"$1\": \(.*[^,]\),*\$/\1/p" "$dir/case.json" | sed '/^null$/d'
}

# As `value`, for a string, without its quotes.
text() {
	value "$1" | sed 's/^"\(.*\)"$/\1/'
}

say() {
	if [ "$bad" ]; then
		failed=$((failed + 1))
		echo "$bad"
		cat "$work/err"
		echo "not ok $1"
	else
		echo "ok $1"
	fi
}

# Compiles and runs the case's model as $dtype with the option $how; its output
# file is $got.
run_model() {
	"$SLUICE" compile "examples/$kind.slu" --config "$dir/config.json" "$@" \
		--dtype $dtype ${how#default} -o "$work/plan.slb" --quiet \
		>"$work/err" 2>&1 \
	&& "$SLUICE" run "$work/plan.slb" --weights "$dir/$weights" \
		--in "$dir/in.safetensors" --out "$got" --quiet \
		>"$work/err" 2>&1
}

# The same plan on a device that is behind: the same bits.
run_behind() {
	for when in eager lazy random; do
		"$BUILD/tests/tools/run_async" "$work/plan.slb" "$dir/$weights" \
			"$dir/in.safetensors" "$work/async.safetensors" $when \
			2>"$work/err" || { bad="it fails $when"; return 1; }
		cmp "$got" "$work/async.safetensors" \
			|| { bad="other bits $when"; return 1; }
	done
}

# A model in each storage type: within that type's limit of the recorded output,
# and the same bits however it is sliced.
model_case() {
	dir=$1 bad=
	kind=$(text kind) weights=$(text weights)
	output=$(sed -n '/^ "outputs"/{n;s/ *"\(.*\)".*/\1/p;}' "$dir/case.json")
	set --
	for key in frames height width batch tokens; do
		v=$(value $key)
		[ -z "$v" ] || set -- "$@" -D $key=$v
	done
	for dtype in f32 f16 bf16; do
		case $dtype in
		f32) limit=1e-4 slicings='--unsliced default --min-memory';;
		f16) limit=0.02 slicings='--unsliced --min-memory';;
		bf16) limit=0.15 slicings='--unsliced --min-memory';;
		esac
		for how in $slicings; do
			got=$work/$dtype$how.safetensors
			run_model "$@" || bad="$dtype $how: it fails"
			cmp "$got" "$work/$dtype--unsliced.safetensors" \
				|| bad="$dtype $how: other bits than unsliced"
			[ $dtype != f32 ] || run_behind || bad="$how: $bad"
		done
		"$compare" "$got" "$dir/out.safetensors" $output \
			--limit $limit >"$work/error" 2>&1 \
			|| bad="$dtype: $(cat "$work/error")"
		sed "s/.*error \([^,]*\),.*/\1/" "$work/error" >>"$work/$dtype"
		[ -z "$bad" ] || break
	done
	rm -f "$work"/*.safetensors
	models=$((models + 1))
	say "$kind $(basename "$dir")"
}

# A number of a list that is case.json's value of a key: KEY WHICH.
listed() {
	sed -n "/^ \"$1\": \[/,/\]/s/^  *\([-0-9.e]*\),*\$/\1/p" "$dir/case.json" \
		| sed -n "$2p"
}

# The run file of a case that begins with a picture.
picture_run_file() {
	cat <<-EOF
	model: $dir/model
	image: $dir/image.png
	frames: $(value frames)
	size: $(value width)x$(value height)
	steps: $(value steps)
	fps: $(value fps)
	motion_bucket: $(value motion_bucket_id)
	noise_aug: $(value noise_aug_strength)
	min_guidance: $(listed guidance 1)
	max_guidance: $(listed guidance 2)
	noise: $dir/in.safetensors
	keep_latents: true
	EOF
}

# The run file of one that begins with a prompt.
run_file() {
	if [ -d "$dir/motion_adapter" ]; then
		echo "model: {base: $dir/model, tokenizer: $dir/model/tokenizer," \
			"unet: [$dir/model/unet, $dir/motion_adapter]}"
	else
		echo "model: $dir/model"
	fi
	negative=$(value negative_prompt)
	cat <<-EOF
	prompt: $(value prompt)
	negative_prompt: ${negative:-\"\"}
	frames: $(value frames)
	size: $(value width)x$(value height)
	steps: $(value steps)
	guidance: $(value guidance)
	noise: $dir/in.safetensors
	keep_latents: true
	EOF
}

# The video of $work/run.yaml to a file.
generate() {
	"$SLUICE" generate "$work/run.yaml" --quiet --set "output=$1" \
		>"$work/err" 2>&1 || bad='it fails'
}

# The smallest budget for $work/run.yaml, which the refusal of another names.
smallest_budget() {
	"$SLUICE" generate "$work/run.yaml" --dry-run --set memory=1KiB 2>&1 \
		| sed -n 's/.*budget that fits.*(\([0-9]*\) bytes).*/\1/p'
}

# A whole pipeline from a prompt or a picture on: the latent after each step and
# the frames; and the same bits within the smallest budget.
pipeline_case() {
	dir=$(cd "$1" && pwd) bad= limit=1e-3
	case $(text kind) in
	svd)
		limit=1e-4
		picture_run_file >"$work/run.yaml";;
	*)
		run_file >"$work/run.yaml";;
	esac
	generate "$work/video.safetensors"
	"$compare" "$work/video.safetensors" "$dir/out.safetensors" \
		latents:latent --each --limit $limit >"$work/error" 2>&1 \
		|| bad="steps: $(cat "$work/error")"
	"$compare" "$work/video.safetensors" "$dir/out.safetensors" frames \
		--limit $limit --psnr 60 >"$work/error" 2>&1 \
		|| bad="frames: $(cat "$work/error")"
	echo "memory: $(smallest_budget)" >>"$work/run.yaml"
	generate "$work/small.safetensors"
	same_tensors "$work/video.safetensors" "$work/small.safetensors" \
		|| bad='other bits in less memory'
	say "pipeline $(basename "$dir")"
}

# The pipeline animatediff_ddim with another sampler: the latent after each call of
# the model, with the noise of the steps that take some; and the same bits within
# the smallest budget.
sampler_case() {
	settings=$(cd "$1" && pwd) bad=
	dir=$(cd tests/data/pipelines/animatediff_ddim && pwd)
	{
		run_file | sed '/^steps:/d; /^noise:/d'
		cat "$settings/settings.yaml"
		echo "noise: $settings/in.safetensors"
	} >"$work/run.yaml"
	generate "$work/video.safetensors"
	"$compare" "$work/video.safetensors" "$settings/out.safetensors" \
		latents:latent --each --limit 1e-4 >"$work/error" 2>&1 \
		|| bad="steps: $(cat "$work/error")"
	echo "memory: $(smallest_budget)" >>"$work/run.yaml"
	generate "$work/small.safetensors"
	same_tensors "$work/video.safetensors" "$work/small.safetensors" \
		|| bad='other bits in less memory'
	say "the sampler $(basename "$settings")"
}

# The largest errors of the models so far, one line.
largest_errors() {
	for dtype in f32 f16 bf16; do
		printf '%s %s ' "$dtype" "$(sort -g "$work/$dtype" | tail -n 1)"
	done
}
