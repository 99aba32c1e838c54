#!/bin/sh
# planner.sh - what the planner reaches, as a table (Markdown).
#
#   tests/bench/planner.sh [plans|decoders|run|step]...
#
# plans     whole pipelines in f16 with guidance: peaks of the unsliced program,
#           the default and --min-memory, bounds, predicted slowdown, seconds of
#           compiling and of plan_check.  No weights needed.
# decoders  the VAE decoders alone at 512x512 and 576x1024
# run       measured: the real AnimateDiff UNet, 8 frames 256x256, f32, generated
#           weights, alone and in two steps of the pipeline: unsliced, default
#           and --min-memory in turns (RUNS=3)
# step      measured: one denoising step of 16 frames 512x512 in f16 storage
SLUICE=${SLUICE:-build/sluice}
RUNS=${RUNS:-3}
OUT=${TMPDIR:-/tmp}/sluice-bench.$$
trap 'rm -rf "$OUT"' EXIT
mkdir -p "$OUT"

# first number behind a key of a JSON object on stdin
number() {
	tr -d '\n' | sed 's/"'"$1"'": /\n/' | sed -n '2s/^\([-0-9.e+]*\).*/\1/p'
}

mib() { awk -v b="$1" 'BEGIN { printf "%.0f", b / 1048576 }'; }

# the predicted seconds of the plan and of the unsliced program
slower() {
	awk -v a="$(number predicted_seconds <"$1")" -v b="$(sed 's/.*"unsliced"//' \
		"$1" | number predicted_seconds)" 'BEGIN { printf "%+.1f %%", (a / b - 1) * 100 }'
}

plan_row() {
	name=$1; shift
	row="| $name"
	for goal in --unsliced "" --min-memory; do
		$SLUICE compile "$@" --dtype f16 $goal -o "$OUT/plan.slb" \
			--json >"$OUT/json" || exit 1
		check=$($SLUICE verify --json "$OUT/plan.slb" | number check_seconds)
		row="$row | $(mib "$(number peak_bytes <"$OUT/json")")"
		[ "$goal" = --unsliced ] && continue
		row="$row | $(mib "$(number load_bound_bytes <"$OUT/json")")"
		row="$row | $(mib "$(number floor_bound_bytes <"$OUT/json")")"
		row="$row | $(slower "$OUT/json")"
		row="$row | $(number compile_seconds <"$OUT/json" | cut -c1-4) / $(echo "$check" | cut -c1-4)"
	done
	echo "$row |"
}

plan_head() {
	echo "| MiB | unsliced | default | load | floor | slower | compile / check, s | min-memory | load | floor | slower | compile / check, s |"
	echo "|---|---|---|---|---|---|---|---|---|---|---|---|"
}

plans() {
	plan_head
	t2v=examples/text_to_video.slu i2v=examples/image_to_video.slu
	plan_row "AnimateDiff 16 f 512x512" $t2v
	plan_row "SVD 14 f 576x1024, chunk 7" $i2v -D chunk=7
	plan_row "SVD 14 f, chunk 2" $i2v -D chunk=2
	plan_row "SVD-XT 25 f, chunk 8" $i2v -D frames=25 -D chunk=8
	plan_row "SVD-XT 25 f, chunk 2" $i2v -D frames=25 -D chunk=2
	plan_row "SVD 14 f, whole clip" $i2v
	plan_row "SVD-XT 25 f, whole clip" $i2v -D frames=25
	for f in 8 32 64 128; do
		plan_row "AnimateDiff $f f" $t2v -D frames=$f -D unet.motion_frames=128
	done
}

decoders() {
	plan_head
	plan_row "VAE decoder, 16 f 512x512" examples/vae_decode.slu \
		-D frames=16 -D height=64 -D width=64
	plan_row "temporal decoder, 14 f 576x1024" examples/vae_temporal.slu \
		-D frames=14 -D height=72 -D width=128
	plan_row "temporal decoder, 2 f 576x1024" examples/vae_temporal.slu \
		-D frames=2 -D height=72 -D width=128
}

median() { sort -n | awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)] }'; }

# name, peak planned, measured, process over plan, median seconds, over unsliced
run_row() {
	seconds=$(median <"$OUT/$1.seconds")
	awk -v n="$1" -v p="$(number planned_peak_bytes <"$OUT/$1.json")" \
		-v m="$(number measured_peak_bytes <"$OUT/$1.json")" \
		-v w="$(number process_peak_bytes <"$OUT/$1.json")" \
		-v s="$seconds" -v u="$2" 'BEGIN { printf "| %s | %.0f | %.0f | %.0f | %.2f | %.3f |\n",
			n, p, m, (w - p) / 1048576, s, s / u }'
}

run_head() {
	echo "| | planned, bytes | measured, bytes | process over plan, MiB | seconds per step | over unsliced |"
	echo "|---|---|---|---|---|---|"
}

# the three goals of a program in turns
run_goals() {
	for goal in unsliced default min-memory; do
		flag=--$goal
		[ $goal = default ] && flag=
		$SLUICE compile "$@" $flag -o "$OUT/$goal.slb" --quiet || exit 1
		: >"$OUT/$goal.seconds"
	done
	for i in $(seq "$RUNS"); do
		for goal in unsliced default min-memory; do
			$SLUICE bench --json "$OUT/$goal.slb" >"$OUT/$goal.json" || exit 1
			number seconds_per_step <"$OUT/$goal.json" >>"$OUT/$goal.seconds"
		done
	done
	run_head
	unsliced=$(median <"$OUT/unsliced.seconds")
	for goal in unsliced default min-memory; do run_row $goal "$unsliced"; done
}

# The UNet alone reads its weights as it goes; in the pipeline they are resident
# in the loop, or streamed.
run() {
	run_goals examples/animatediff.slu -D frames=8 -D height=32 -D width=32
	echo
	run_goals examples/text_to_video.slu -D frames=8 -D height=32 -D width=32 \
		-D steps=2
}

step() {
	$SLUICE compile examples/text_to_video.slu --dtype f16 -D steps=1 \
		-o "$OUT/step.slb" --quiet || exit 1
	$SLUICE bench --json "$OUT/step.slb" >"$OUT/step.json" || exit 1
	number seconds_per_step <"$OUT/step.json" >"$OUT/step.seconds"
	run_head
	run_row step "$(cat "$OUT/step.seconds")"
}

[ $# -gt 0 ] || set -- plans decoders
for part; do
	case $part in
	plans|decoders|run|step) printf '\n%s\n\n' "$part"; $part ;;
	*) echo "planner.sh: no part '$part'" >&2; exit 2 ;;
	esac
done
