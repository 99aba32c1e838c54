#!/bin/sh
# How a run does on a quiet and on a busy machine: the table of
# docs/performance.md.
#
#	sh tests/bench/threads.sh
#
#	BUILD	folder of the sluice that is measured (build)
#	BEFORE	another sluice, which runs in turn with it; none
#	RUNS	runs of each kind, of which the median counts (5)
#
# Runs the small model of examples/shapes, and the test suite's small AnimateDiff
# pipeline on generated weights: first with nothing beside them, then with one
# and with two busy loops for each processor, where a fair share takes 2 and 3
# times as long.  Ends with 1 if a run takes more than 3 or 4.5 times as long.
# What else the machine does counts as loops, too.
set -eu
runs=${RUNS:-5}
pipeline=tests/data/pipelines/animatediff_ddim/model
set -- "$(realpath "${BUILD:-build}/sluice")" ${BEFORE:+"$(realpath "$BEFORE")"}
[ -x "$1" ] || { echo "$0: no $1: make" >&2; exit 3; }
tmp=$(mktemp -d)
loops=
trap 'kill $loops 2>/dev/null || :; rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM

for sluice in "$@"; do
	"$sluice" compile --quiet examples/text_to_video.slu --hf "$pipeline" \
		-D frames=4 -D height=16 -D width=16 -D steps=10 --threads 8 \
		-o "$tmp/plan.$(echo "$sluice" | cksum | cut -d' ' -f1)"
done
cp -r examples/shapes/model examples/shapes/reference "$tmp"
sed 's,^output:.*,output: [out.gif],' examples/shapes/run.yaml >"$tmp/run.yaml"

# once CASE SLUICE: milliseconds of a run.
once() {
	begin=$(date +%s%N)
	if [ "$1" = shapes ]; then
		"$2" generate "$tmp/run.yaml" --quiet >"$tmp/out"
	else
		"$2" bench "$tmp/plan.$(echo "$2" | cksum | cut -d' ' -f1)" \
			--quiet --json >"$tmp/out"
	fi
	echo $((($(date +%s%N) - begin) / 1000000))
}

# The middle one of the numbers on standard input.
median() {
	sort -n | awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)] }'
}

# measure CASE SLUICE...: in turns; a median for each.
measure() {
	kind=$1
	shift
	rm -f "$tmp"/ms.*
	for run in $(seq "$runs"); do
		n=0
		for sluice in "$@"; do
			n=$((n + 1))
			once "$kind" "$sluice" >>"$tmp/ms.$n"
		done
	done
	for n in $(seq $#); do
		median <"$tmp/ms.$n"
	done
}

processors=$(nproc)
bad=0
echo "| | busy loops a processor | seconds | of quiet | at most |${2:+ before, seconds | of quiet | before / now |}"
echo "|---|---|---|---|---|${2:+---|---|---|}"
for busy in 0 1 2; do
	[ $busy = 0 ] || for i in $(seq "$processors"); do
		while :; do :; done &
		loops="$loops $!"
	done
	for kind in shapes unet; do
		measure $kind "$@" >"$tmp/now"
		[ $busy != 0 ] || cp "$tmp/now" "$tmp/quiet.$kind"
		paste "$tmp/now" "$tmp/quiet.$kind" | awk -v kind=$kind -v busy=$busy '
			BEGIN { split("1 3 4.5", most, " ") }
			{ ms[NR] = $1; times[NR] = $1 / $2 }
			END {
				printf "| %s | %d | %.2f | %.1f | %s |", kind,
					busy, ms[1] / 1000, times[1],
					busy ? most[busy + 1] : "-"
				if (NR > 1)
					printf " %.2f | %.1f | %.2f |",
						ms[2] / 1000, times[2], ms[2] / ms[1]
				print ""
				exit busy && times[1] > most[busy + 1]
			}' || bad=1
	done
done
exit $bad
