#!/bin/sh
# `sluice calibrate`, `table` and `generate --rehash`: a calibration that was cut
# short is gone on with and has the same bytes; the table is used where it fits;
# what does not fit is said or refused.
BUILD=${BUILD:-build}
SLUICE=${SLUICE:-$BUILD/sluice}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
run=examples/shapes/run.yaml
set="--set steps=9 --set noise=null --threads 2 --quiet"

# verdict NAME: by the status of the command before
verdict() {
	if [ $? = 0 ]; then
		echo "ok $1"
	else
		sed 's/^/# /' "$dir/err"
		echo "not ok $1"
	fi
}
# refused CODE TEXT COMMAND...: ends with the code and says so
refused() {
	code=$1 text=$2
	shift 2
	"$SLUICE" "$@" >"$dir/out" 2>"$dir/err"
	[ $? = "$code" ] && grep -q "$text" "$dir/err"
}

printf 'a red circle\n\na blue square\n  a green triangle \n' >"$dir/prompts"
"$SLUICE" calibrate $run $set --prompts "$dir/prompts" -o "$dir/cal" 2>"$dir/err"
verdict "calibrate"
"$SLUICE" calibrate $run $set --prompts "$dir/prompts" -o "$dir/cut" 2>/dev/null &
pid=$!
while [ ! -e "$dir/cut" ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
kill $pid 2>/dev/null
wait $pid
cut=$?
if [ $cut = 130 ]; then
	refused 5 "not finished" table "$dir/cut" --runs 4
	verdict "a calibration that was cut short gives no table"
else
	echo "ok a calibration that was cut short gives no table # skip it was too fast"
fi
"$SLUICE" calibrate $run $set --prompts "$dir/prompts" -o "$dir/cut" 2>"$dir/err" \
	&& cmp "$dir/cal" "$dir/cut" >>"$dir/err"
verdict "it is gone on with, to the same bytes"
refused 5 "something else" calibrate $run $set --set seed=9 --prompts "$dir/prompts" \
	-o "$dir/cut"
verdict "another calibration is not overwritten"

gen="--set steps=9 --set frames=8 --threads 2"
"$SLUICE" table "$dir/cal" --runs 5 -o "$dir/table" 2>"$dir/err" \
	&& "$SLUICE" generate $run $gen --table "$dir/table" --quiet \
		--set output="$dir/a.y4m" 2>"$dir/err" \
	&& "$SLUICE" generate $run $gen --quiet --set output="$dir/b.y4m" \
		--set "rehash={runs: 5, calibration: $dir/cal}" 2>"$dir/err" \
	&& cmp "$dir/a.y4m" "$dir/b.y4m" >>"$dir/err"
verdict "rehash of a run file is the table"
"$SLUICE" generate $run $gen --rehash 5 --set output="$dir/c.y4m" 2>"$dir/err" \
	&& grep -q "no calibration: DPM-Solver++ 2M with 5 runs" "$dir/err" \
	&& "$SLUICE" generate $run --set steps=5 --set frames=8 --threads 2 --quiet \
		--set output="$dir/d.y4m" \
		--set 'scheduler={class: DPMSolverMultistepScheduler}' 2>"$dir/err" \
	&& cmp "$dir/c.y4m" "$dir/d.y4m" >>"$dir/err" \
	&& ! cmp -s "$dir/a.y4m" "$dir/c.y4m"
verdict "without a calibration it is DPM-Solver++ 2M, which is said"
"$SLUICE" generate $run --set steps=10 --rehash 5 --calibration "$dir/cal" --dry-run \
	>"$dir/out" 2>"$dir/err" && grep -q "of another number of steps: DPM" "$dir/err"
verdict "one of other steps is not used, which is said"
refused 3 "clip_sample: false" generate $run $gen --rehash 5 --dry-run \
	--set 'scheduler={clip_sample: true}'
verdict "a sampler that clips is refused"
refused 3 "take 1 .. 9" generate $run $gen --rehash 10 --dry-run
verdict "more runs than steps are refused"
refused 2 "goes with --rehash" generate $run $gen --calibration "$dir/cal" --dry-run
verdict "a calibration alone is refused"
head -c 5000 "$dir/cal" >"$dir/half"
refused 5 half generate $run $gen --rehash 5 --calibration "$dir/half" --dry-run
verdict "a damaged calibration is refused"
