#!/bin/sh
# What explains a plan: report, dot, diff, on a tiny pipeline and on a plan with
# hostile names.  Well-formed, whole or not at all, the same each time.
S=${SLUICE:-build/sluice}
T=${BUILD:-build}/tests
W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
fails=0

# check NAME COMMAND...: the command must succeed
check() {
	name=$1
	shift
	if "$@" >"$W/log" 2>&1; then
		echo "ok explain: $name"
	else
		sed 's/^/# /' "$W/log" | head -n 5
		echo "not ok explain: $name"
		fails=$((fails + 1))
	fi
}

# code WANTED COMMAND...: the exit code, and one message on standard error
code() {
	wanted=$1
	shift
	"$@" >"$W/out" 2>"$W/err"
	got=$?
	[ $got -eq "$wanted" ] && grep -q '^sluice: error: \|^usage' "$W/err" && return 0
	echo "exit code $got, not $wanted: $(cat "$W/err")"
	return 1
}

# ---- plans: default, as small as can be, unsliced ----
M=tests/data/pipelines/animatediff_ddim
tiny() {
	"$S" compile examples/text_to_video.slu --hf $M/model \
		--component unet=$M/model/unet,$M/motion_adapter -D frames=8 \
		-D height=16 -D width=16 -D steps=3 --quiet "$@"
}
check "tiny plans compile" eval 'tiny -o "$W/a.slb" && tiny --min-memory \
	-o "$W/b.slb" && tiny --unsliced -o "$W/u.slb"'
check "a plan of hostile names" "$T/tools/hostile_plan" "$W/h.slb"

# ---- report ----
page() {
	"$S" report "$W/$1.slb" -o "$W/$1.html" &&
		"$T/tools/html_check" "$W/$1.html"
}
for p in a b u h; do
	check "report of plan $p is well-formed" page $p
done
check "report: the same each time" eval '"$S" report "$W/a.slb" |
	cmp - "$W/a.html"'
check "report: what frontier found is drawn" eval '"$S" frontier examples/vae_decode.slu \
	--config $M/model/vae/config.json --json >"$W/f.json" &&
	"$S" report "$W/a.slb" --frontier "$W/f.json" -o "$W/f.html" &&
	"$T/tools/html_check" "$W/f.html" &&
	[ "$(grep -c "class=\"best\"" "$W/f.html")" = \
	"$(grep -o predicted_seconds "$W/f.json" | sed 1d | wc -l)" ] &&
	[ "$(grep -c "class=\"here\"" "$W/f.html")" = 1 ]'
check "report: nothing is fetched" eval '! sed "s,xmlns=.http://www.w3.org/2000/svg.,," "$W/f.html" |
	grep -i "http:\|https:\|src=\|href=\|@import\|fetch("'
check "report: of a source" eval '"$S" report examples/text_to_video.slu --hf $M/model \
	--component unet=$M/model/unet,$M/motion_adapter -D frames=8 -D height=16 \
	-D width=16 -D steps=3 -o "$W/s.html" && cmp "$W/s.html" "$W/a.html"'
check "report: has the peak of the summary" eval 'tiny --json >"$W/sum" &&
	bytes=$(sed -n "s/.*{\"bytes\":\([0-9]*\),.*/\1/p" "$W/a.html") &&
	grep -q "\"arena_bytes\": $bytes," "$W/sum"'
# within PAGE: no row of the bounds but the unsliced one is above the plan
within() {
	plan=$(sed -n 's/.*<td>this plan<.*title="\([0-9]*\) bytes.*/\1/p' "$1")
	sed -n '/<h2>Bounds/,/<\/table>/p' "$1" | grep '<td class="n">' |
		grep -v '<td>without slices' |
		sed 's/.*title="\([0-9]*\) bytes.*/\1/' | {
		n=0
		while read -r bytes; do
			n=$((n + 1))
			[ "$bytes" -le "$plan" ] || return 1
		done
		[ $n -ge 3 ]
	}
}
# silu reads and writes its operand in place at the peak: bytes that count once
printf 'model place(x: [h=64, w=64, c=8]) -> y {
	return x |> resize(h=2 * x.h, w=2 * x.w) |> silu |> silu\n}\n' >"$W/place.slu"
check "report: no bound is above the plan" eval '"$S" report "$W/place.slu" --unsliced -o "$W/p.html" &&
	for p in a b u p; do within "$W/$p.html" || return 1; done'
check "report: workspaces are named, threads only where there are several" eval \
	'tiny --threads 1 -o "$W/one.slb" && "$S" report "$W/one.slb" -o "$W/one.html" &&
	grep -q "Workspaces.*threads N" "$W/a.html" && ! grep -q "threads N" "$W/one.html"'
check "report: follows dark mode" grep -q "prefers-color-scheme: dark" "$W/a.html"
check "report: names are text" eval 'grep -q "&lt;/script&gt;&lt;script&gt;alert(1)" "$W/h.html" &&
	! grep -q "<script>alert\|<img" "$W/h.html"'

# the checker itself: what it must refuse
spoiled() {
	sed "$1" "$W/a.html" >"$W/bad.html"
	! cmp -s "$W/a.html" "$W/bad.html" && ! "$T/tools/html_check" "$W/bad.html"
}
check "html_check refuses an open element" spoiled 's,</table>,,'
check "html_check refuses an unknown attribute" spoiled 's,<canvas ,<canvas onclick="x" ,'
check "html_check refuses an index out of range" spoiled \
	's/^\(\[[0-9]*\),[0-9]*,/\1,99999999,/'

# ---- dot ----
drawn() {
	"$S" dot --$2 "$W/$1.slb" -o "$W/$1.$2.dot" &&
		"$S" dot --$2 "$W/$1.slb" | cmp - "$W/$1.$2.dot" || return 1
	command -v dot >/dev/null || return 0
	dot -Tcanon "$W/$1.$2.dot" >"$W/canon" 2>"$W/warn" &&
		[ -s "$W/canon" ] && [ ! -s "$W/warn" ] || return 1
	# what is placed here must also fit: Graphviz warns when it does not
	case $2 in memory|groups) dot -Tsvg "$W/$1.$2.dot" >"$W/svg" 2>"$W/warn" &&
		[ ! -s "$W/warn" ] ;; esac
}
command -v dot >/dev/null || echo "# dot is missing: pictures not parsed"
for p in a u h; do
	for kind in graph memory groups; do
		check "dot --$kind of plan $p" drawn $p $kind
	done
done
check "dot: a box for each buffer" eval '[ "$(grep -c "^  b[0-9]* \[" "$W/a.memory.dot")" = \
	"$("$S" dis --json "$W/a.slb" | grep -o "\"role\":" | wc -l)" ]'
check "dot: blocks are clusters" eval 'grep -q "label=\"down_blocks.0\"" "$W/a.graph.dot" &&
	grep -q "label=\"unet\"" "$W/a.graph.dot"'
# the whole of AnimateDiff's UNet: a box for each block, the twelve skips
check "dot: a UNet is a U that fits on a page" eval '"$S" dot --graph examples/animatediff.slu >"$W/unet" &&
	[ "$(grep -c "^ *n[0-9]* \[fill" "$W/unet")" -lt 100 ] &&
	[ "$(grep -c "^ *n[0-9]* -> .*#3a7d44" "$W/unet")" = 12 ] &&
	[ "$(grep -c "label=\"\(down\|up\)_blocks.[0-3]\"" "$W/unet")" = 8 ]'
check "dot: outputs are marked" eval '[ "$(grep -c "penwidth=2 .*-> output" "$W/a.graph.dot")" = 2 ]'
check "dot: legends" eval 'grep -q "skip connection" "$W/a.graph.dot" &&
	grep -q "sliced along" "$W/a.groups.dot"'
check "dot: what is cut off a name is an ellipsis" eval 'grep -q "label=\"…" "$W/a.memory.dot" &&
	grep -q "l….*norm" "$W/a.groups.dot"'
check "dot: of a source" eval '"$S" dot --memory examples/text_to_video.slu --hf $M/model \
	--component unet=$M/model/unet,$M/motion_adapter -D frames=8 -D height=16 \
	-D width=16 -D steps=3 | cmp - "$W/a.memory.dot"'

# ---- diff ----
check "diff: a plan and itself" eval '[ "$("$S" diff "$W/a.slb" "$W/a.slb")" = \
	"the plans are the same" ]'
check "diff: compiled twice, the same" eval 'tiny -o "$W/a2.slb" &&
	"$S" diff "$W/a.slb" "$W/a2.slb" --json | grep -q "{\"same\": true"'
check "diff: text" eval '"$S" diff "$W/u.slb" "$W/b.slb" >"$W/d" &&
	grep -q "^  peak .* -" "$W/d" && grep -q "^at the peak of" "$W/d" &&
	grep -q "0 only in A (-), [1-9]" "$W/d"'
check "diff: JSON" eval '"$S" diff "$W/u.slb" "$W/h.slb" --json -o "$W/d.json" &&
	"$T/tools/json_check" "$W/d.json" && grep -q "{\"same\": false" "$W/d.json"'

# ---- errors ----
printf 'not a plan' >"$W/bad.slb"
head -c 5000 "$W/a.slb" >"$W/cut.slb"
point='{"peak_bytes": 9, "predicted_seconds": 1}'
printf '{"unsliced": %s, "points": [{"peak_bytes": -1}]}' "$point" >"$W/bad.json"
printf '{"points": [%s]}' "$point" >"$W/lacks.json"
printf '{"unsliced": %s, "points": [%s, %s]}' "$point" "$point" "$point" >"$W/flat.json"
for c in "report" "dot --graph" "dot --memory" "dot --groups"; do
	check "$c: no such file is 8" code 8 "$S" $c "$W/none.slb"
	check "$c: a damaged plan is 4" code 4 "$S" $c "$W/bad.slb"
	check "$c: a cut plan is 4" code 4 "$S" $c "$W/cut.slb"
	check "$c: full disk is 8" code 8 "$S" $c "$W/a.slb" -o /dev/full
	check "$c: no such folder is 8" code 8 "$S" $c "$W/a.slb" -o "$W/none/x"
	check "$c: options of a source are 2" code 2 "$S" $c "$W/a.slb" -D frames=4
	check "$c: two operands are 2" code 2 "$S" $c "$W/a.slb" "$W/b.slb"
done
check "diff: no such file is 8" code 8 "$S" diff "$W/a.slb" "$W/none.slb"
check "diff: a damaged plan is 4" code 4 "$S" diff "$W/bad.slb" "$W/a.slb"
check "diff: full disk is 8" code 8 "$S" diff "$W/a.slb" "$W/b.slb" -o /dev/full
check "diff: one operand is 2" code 2 "$S" diff "$W/a.slb"
check "dot: two pictures at once are 2" code 2 "$S" dot --memory --groups "$W/a.slb"
for f in bad lacks flat; do
	check "report: frontier that is none ($f) is 3" code 3 "$S" report "$W/a.slb" \
		--frontier "$W/$f.json"
done
check "report: frontier of no JSON is 3" code 3 "$S" report "$W/a.slb" --frontier "$W/bad.slb"
check "report: no frontier file is 8" code 8 "$S" report "$W/a.slb" --frontier "$W/none"
printf 'old' >"$W/keep.html"
check "report: a failure leaves the old page" eval '! "$S" report "$W/cut.slb" -o "$W/keep.html" &&
	[ "$(cat "$W/keep.html")" = old ]'
[ $fails -eq 0 ]
