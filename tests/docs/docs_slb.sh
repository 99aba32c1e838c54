#!/bin/sh
# docs/plan.md is enough to read and write plan files: a tool that knows only its
# tables (tests/tools/slb.py) writes compiled plans again byte for byte, and a
# plan that it has changed passes every checksum up to the gate that sees it.
BUILD=${BUILD:-build}
SLUICE=${SLUICE:-$BUILD/sluice}
PYTHON=${PYTHON:-python3}
if ! "$PYTHON" -c 'import xxhash' 2>/dev/null; then
	echo "ok plans read by their page alone # skip no python3 with xxhash"
	echo "# skipped: no python3 with xxhash"
	exit 0
fi
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
for m in dense sliced loop; do
	"$SLUICE" compile tests/fuzz/plans/$m.slu --model $m --min-memory \
		--quiet -o "$dir/$m.slb" || exit 1
done
if "$PYTHON" tests/tools/slb.py same "$dir"/*.slb
then echo "ok plans written again are the same, and their marks too"
else echo "not ok plans written again are the same, and their marks too"; fi

# changed NAME MESSAGE CODE: the loop's plan, changed by python
changed() {
	PYTHONPATH=tests/tools PYTHONDONTWRITEBYTECODE=1 "$PYTHON" -c "
import slb, sys
p = slb.Plan(open(sys.argv[1], 'rb').read())
$3
open(sys.argv[2], 'wb').write(p.bytes())" "$dir/loop.slb" "$dir/x.slb"
	"$SLUICE" verify "$dir/x.slb" >"$dir/log" 2>&1
	if [ $? -eq 4 ] && grep -q "$2" "$dir/log"; then echo "ok $1"
	else cat "$dir/log"; echo "not ok $1"; fi
}
changed "a mark that is wrong" "does not cross the denoising steps" '
[b for b in p.buffers if b["crosses"]][0]["crosses"] = 0'
changed "another target" "compiled for .abacus." '
p.head["target"] = p.name("abacus")'
changed "a layout that the target lacks" "no layout 9" '
[w for w in p.weights if w["layout"]][0]["layout"] = 9'
changed "buffers over each other" "memory   refused" '
for b in p.buffers: b["offset"] = 0
p.settle()'
