#!/bin/sh
# bench.sh - predicted times from the command line: device profiles of compile
# and generate, `sluice bench` beside them, and what is refused with which code.
SLUICE=${SLUICE:-build/sluice}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0

# result NAME: prints it for the status of the command before
result() {
	if [ $? -eq 0 ]; then echo "ok $1"; else echo "not ok $1"; failed=1; fi
}

# expect CODE TEXT ARGUMENT...: the exit code, and TEXT somewhere in the output
expect() {
	code=$1 text=$2
	shift 2
	"$SLUICE" "$@" >"$dir/log" 2>&1
	got=$?
	if [ $got -ne "$code" ] || ! grep -qF -- "$text" "$dir/log"; then
		echo "# $*: exit $got, want $code with '$text':"
		sed 's/^/# /' "$dir/log"
		return 1
	fi
}

# profile NAME SECONDS: a profile in which every unit takes so long
profile() {
	printf 'name: %s\nthreads: 1\nseconds:\n' "$1"
	sed -n "s/^TERM(\([a-z_]*\),.*/  \1: [$2, $2, $2]/p" compiler/cost/cost.def
}

# number KEY FILE: the first number behind "KEY"
number() {
	grep -o "\"$1\": [0-9.e+-]*" "$2" | head -1 | sed 's/.*: //'
}

compile() {
	"$SLUICE" compile examples/vae_decode.slu -D frames=2 -D height=8 \
		-D width=8 -D 'ch=[32,64]' -D layers=1 --json "$@"
}

profile one 1e-9 >"$dir/one.yaml"
profile two 2e-9 >"$dir/two.yaml"
compile --unsliced >"$dir/builtin.json" &&
	grep -q '"profile": "cpu-2core"' "$dir/builtin.json"
result "the built-in profile is named"

compile --unsliced --profile "$dir/one.yaml" -o "$dir/m.slb" >"$dir/one.json" &&
	compile --unsliced --profile "$dir/two.yaml" >"$dir/two.json" &&
	grep -q '"profile": "one"' "$dir/one.json" &&
	awk -v x="$(number predicted_seconds "$dir/one.json")" \
		-v y="$(number predicted_seconds "$dir/two.json")" \
		'BEGIN { exit !(x > 0 && y / x > 1.9999 && y / x < 2.0001) }'
result "a profile of half the speed predicts twice the time"

"$SLUICE" generate examples/shapes/run.yaml --dry-run --json \
	--set "profile=$dir/two.yaml" >"$dir/run.json" &&
	grep -q '"profile": "two"' "$dir/run.json"
result "a run file's profile"

"$SLUICE" bench "$dir/m.slb" --quiet --json >"$dir/bench.json" &&
	grep -q '"profile": "one"' "$dir/bench.json" &&
	grep -q '"group_ratio": {"quarter": [0-9.]*, "median": ' "$dir/bench.json" &&
	[ "$(grep -c '"slices": 1, "kernels": 1,' "$dir/bench.json")" -eq \
		"$(number ops "$dir/one.json")" ]
result "bench lists every kernel of an unsliced plan"

"$SLUICE" dis "$dir/m.slb" --json >"$dir/dis.json" &&
	grep '"op": "load"' "$dir/dis.json" | grep -o '"predicted_seconds": [^,]*' |
	awk -v all="$(number predicted_seconds "$dir/one.json")" \
		-v kernels="$(number predicted_seconds "$dir/bench.json")" \
		'{ loads += $2 } END { d = all - loads - kernels
		exit !(loads > 0 && d < 1e-5 * all && d > -1e-5 * all) }'
result "the plan's time is that of its kernels and loads"

compile --min-memory -o "$dir/m.slb" >"$dir/least.json" &&
	[ "$(number groups "$dir/least.json")" -gt 0 ] &&
	expect 0 "ratio of groups" bench "$dir/m.slb" --quiet --repeat 2 &&
	grep -q 'post_quant_conv' "$dir/log"
result "bench names the groups of a sliced plan"

sed 's/^  launch/  lunch/' "$dir/one.yaml" >"$dir/bad.yaml"
sed 's/\(matrix_mac: \[\).*/\11, 1, 1]/' "$dir/one.yaml" >"$dir/absurd.yaml"
expect 3 "bad.yaml:4:3: unknown key 'lunch'; did you mean 'launch'?" \
	compile examples/clip_text.slu --profile "$dir/bad.yaml" &&
	expect 3 "'matrix_mac' is a number from 1e-17 to 1e-06" \
		dot examples/clip_text.slu --profile "$dir/absurd.yaml" &&
	expect 3 "bad.yaml:4:3:" generate examples/shapes/run.yaml --dry-run \
		--set "profile=$dir/bad.yaml" &&
	expect 8 "cannot read" compile examples/clip_text.slu \
		--profile "$dir/none.yaml" &&
	expect 8 "cannot read" generate examples/shapes/run.yaml --dry-run \
		--set "profile=$dir/none.yaml"
result "broken and missing profiles"

expect 2 "bench needs a plan" bench &&
	expect 2 "takes no plan" bench --calibrate "$dir/m.slb" &&
	expect 2 "--name: '' is not" bench --calibrate --name '' &&
	expect 8 "cannot write" bench --calibrate -o "$dir/no/such/p.yaml" &&
	expect 2 "does not go with --steps" bench --calibrate --steps 2 &&
	expect 2 "does not go with --name" bench "$dir/m.slb" --name x &&
	expect 2 "--repeat: '0'" bench "$dir/m.slb" --repeat 0
result "what bench refuses"
exit $failed
