#!/bin/sh
# Long and wide programs compile: passes that take the square of the number of
# ops would not end here, and plan_check proves the plans.  Their memory is known.
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
log=$dir/log

# peak NAME BYTES ARGUMENTS...: the plan needs so many bytes.
peak()
{
	name=$1 want=$2
	shift 2
	"$SLUICE" compile "$@" -o "$dir/plan.slb" >"$log" 2>&1
	code=$?
	"$SLUICE" verify --json "$dir/plan.slb" >"$dir/json" 2>&1
	steps=$(sed -n 's/.*"steps": \([0-9]*\),.*/\1/p' "$dir/json")
	# and its proof at most a tenth of what a proof may take
	if [ $code -eq 0 ] && grep -q "^  peak .*($want bytes)" "$log" &&
		[ "${steps:-40000001}" -le 40000000 ]
	then echo "ok $name"; else cat "$log"; echo "not ok $name"; fi
}

cat >"$dir/chain.slu" <<'S'
model chain(x: [h=64, w=4, c=8]) -> y {
    for j in 0..60 { for i in 0..1000 { x = silu(x) } }
    return x
}
S
# the input, which nothing is written over, and one result
peak "sixty thousand ops in a row" 16384 "$dir/chain.slu" --unsliced
peak "the same, with loops" 16384 "$dir/chain.slu"

cat >"$dir/wide.slu" <<'S'
model wide(x: [h=4, w=4, c=16]) -> y {
    branches = []
    for i in 0..15000 { branches += silu(x + i) }
    y = branches[0]
    for i in 1..15000 { y = y + branches[i] }
    return y
}
S
# x, and all branches at once
peak "fifteen thousand branches" $((15001 * 1024)) "$dir/wide.slu" --unsliced
