#!/bin/sh
# Runs the test programs (build/tests/*) and scripts (tests/*.sh but this one
# and helpers), or those named as arguments; counts their "ok NAME" and
# "not ok NAME" lines.  A test that ends badly without saying so counts as one
# failure.  Ends with a line "N passed, N failed".
BUILD=${BUILD:-build}
export BUILD
SLUICE=$PWD/$BUILD/sluice
export SLUICE
passed=0 failed=0
log=$BUILD/tests/log
mkdir -p "$log"
names=$*
[ -n "$names" ] || names=$(ls tests/*.c tests/*.sh | sed 's,tests/,,; s,\.[a-z]*$,,' | grep -vx 'run\|embed')
for name in $names; do
	if [ -f "tests/$name.sh" ]; then set -- sh "tests/$name.sh"
	else set -- "$BUILD/tests/$name"; fi
	"$@" >"$log/$name" 2>&1
	code=$?
	p=$(grep -c '^ok ' "$log/$name")
	f=$(grep -c '^not ok ' "$log/$name")
	if [ $code -ne 0 ] && [ "$f" -eq 0 ]; then
		f=1
		echo "not ok $name: exit code $code"
		tail -n 5 "$log/$name"
	fi
	grep -B 6 '^not ok ' "$log/$name" | grep -v '^ok ' | head -60
	passed=$((passed + p)) failed=$((failed + f))
	printf '%-16s %s\n' "$name" "$p passed, $f failed$(grep -h '^# ' "$log/$name" | sed 's/^#/;/' | tr '\n' ' ')"
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
