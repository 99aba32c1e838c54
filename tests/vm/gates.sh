#!/bin/sh
# Plans whose proof would cost years or the whole memory (tests/tools/costly_plan.c):
# each is accepted and sound, or refused for the right reason, and what that took
# is counted: steps and bytes are the same on every machine.  Plans of real models
# stay below half of what a plan may cost.
. tests/tools/cli.sh
COSTLY=$ROOT/${BUILD:-build}/tests/tools/costly_plan
STEPS=400000000 BYTES=134217728

# number KEY: a number in the report on stdin
number() {
	sed -n 's/.*"'"$1"'": \([0-9]*\)[,}].*/\1/p'
}

# Accepted: the most steps; refused: what the message has in it (a pattern).
cat >wanted <<'W'
boxes            280000000
boxes_loop       C12 too-much-work: .*(next, r1=1): to prove the program takes more than 400000000 steps
boxes_buffers    C12 too-much-work: .*(fill): .* 400000000 steps
boxes_bytes      C12 too-much-work: .*(fill): to prove the program takes tables of more than 128.0 MiB
boxes_split      C12 too-much-work: .*(copy, r1=0): .* 400000000 steps
boxes_astride    150000000
meet             9000000
meet_far         C12 too-much-work: .*(silu, r1=0): .* 400000000 steps
meet_loop        C12 too-much-work: .*(silu, r1=49): .* 400000000 steps
long_loop        C12 too-much-work: .*r1=[0-9]\{7\}): .* 400000000 steps
long_empty       C12 too-much-work: .*r1=[0-9]\{8\}): .* 400000000 steps
nested           C12 too-much-work: .*r0=[0-9]*, r1=[0-9]*, r2=[0-9]*, r3=[0-9]*): .* 400000000 steps
too_many         the program runs more than 67108864 instructions
many             6000000
steps            110000000
axes             C12 too-much-work: .*(add, r1=[0-9]*): .* 400000000 steps
windows          (resize): to check the program takes more than 400000000 steps
strides          80000000
stacked          8000000
stacked_read     C4 read-after-overwrite: instruction 30000 (silu)
log_scan         C12 too-much-work: .*(fill, r1=[0-9]*): .* 400000000 steps
loads            C12 too-much-work: .*(fill, r1=[0-9]*): .* 400000000 steps
sparse_few       C4 read-after-overwrite: instruction 6 (copy, r0=3)
sparse_many      C4 read-after-overwrite: instruction 6 (copy, r0=3)
sparse_empty     C3 read-before-write: instruction 1 (silu, r0=3)
sparse_work      C4 read-after-overwrite: instruction 5 (silu, r0=2)
huge             1000
far_stride       the stride of axis 3 is absurd
far_register     the stride of axis 15 is absurd
W

# 256 MiB of address space, where the program can do with that (not with a
# sanitizer's shadow)
limit=262144
(ulimit -v $limit && "$SLUICE" help) >/dev/null 2>&1 || limit=unlimited

cat >one.sh <<'S'
ulimit -v $2
"$3" "$1" "$1.slb" && "$4" verify --json "$1.slb" >"$1.json" 2>"$1.err"
echo $? >"$1.code"
S

# The real plans are compiled while the others are refused.
(for real in "least image_to_video -D frames=25 --min-memory" \
	"steps text_to_video -D steps=1000 --unsliced"; do
	set -- $real
	plan=real_$1 source=$2
	shift 2
	"$SLUICE" compile "$ROOT/examples/$source.slu" "$@" --dtype f16 --quiet \
		-o "$plan.slb" && "$SLUICE" verify --json "$plan.slb" >"$plan.json"
done) &
real=$!
cut -d' ' -f1 wanted | xargs -P 2 -I N sh one.sh N $limit "$COSTLY" "$SLUICE"

# within_budget NAME: what was spent is little above the limits
within_budget() {
	[ "$(number steps <"$1.json")" -le $((STEPS + STEPS / 1000)) ] &&
	[ "$(number table_bytes <"$1.json")" -le $((BYTES + BYTES / 100)) ]
}

while read -r plan want; do
	case $want in
	[0-9]*)
		check "$plan is accepted, for at most $want steps" eval \
			'[ "$(cat $plan.code)" = 0 ] && within_budget $plan &&
			[ "$(number steps <$plan.json)" -le "$want" ]' ;;
	*)
		check "$plan is refused: $want" eval \
			'[ "$(cat $plan.code)" = 4 ] && within_budget $plan &&
			grep -q "$want" $plan.err' ;;
	esac
done <wanted

check "the list names every plan" \
	[ "$("$COSTLY" | tr '\n' ' ')" = "$(cut -d' ' -f1 wanted | tr '\n' ' ')" ]

# ---- plans of real models ----
wait $real
for plan in least steps; do
	check "$plan: a real plan at less than half the budget" eval \
		'[ "$(number steps <real_$plan.json)" -gt 1000 ] &&
		[ "$(number steps <real_$plan.json)" -le $((STEPS / 2)) ] &&
		[ "$(number table_bytes <real_$plan.json)" -le $((BYTES / 2)) ]'
done
echo "# steps of $STEPS: SVD-XT at its least $(number steps <real_least.json)," \
	"AnimateDiff with a thousand $(number steps <real_steps.json)"
