#!/bin/sh
# Runs the test programs (tests/ROOM/*.c) and scripts (tests/ROOM/*.sh), or those
# named as arguments; counts their "ok NAME" and
# "not ok NAME" lines.  A test that ends badly, hangs or says nothing counts as
# one failure.  Lines "# ..." outside of failed tests are remarks.  Ends with a
# line "N passed, N failed".
BUILD=${BUILD:-build}
export BUILD
SLUICE=$PWD/$BUILD/sluice
export SLUICE
passed=0 failed=0
log=$BUILD/tests/log
mkdir -p "$log"

# run NAME COMMAND...
run() {
	name=$1
	shift
	timeout --foreground 900 "$@" >"$log/$name" 2>&1 </dev/null
	code=$?
	p=$(grep -c '^ok ' "$log/$name")
	f=$(grep -c '^not ok ' "$log/$name")
	grep -B 6 '^not ok ' "$log/$name" | grep -v '^ok ' | head -60
	if [ $((p + f)) -eq 0 ] || [ $code -ne 0 -a "$f" -eq 0 ]; then
		f=1
		echo "not ok $name: exit code $code; the end of $log/$name:"
		tail -n 5 "$log/$name"
	fi
	passed=$((passed + p)) failed=$((failed + f))
	remark=
	[ "$f" -ne 0 ] || remark=$(sed -n 's/^# /; /p' "$log/$name" | tr -d '\n')
	printf '%-16s %s\n' "$name" "$p passed, $f failed$remark"
}

names=$*
[ -n "$names" ] || names=$(ls tests/*/*.c tests/*/*.sh \
	| grep -v '^tests/\(lib\|tools\|fuzz\|bench\)/' \
	| sed 's,.*/,,; s,\.[a-z]*$,,' | sort -u)
for name in $names; do
	file=$(ls tests/*/"$name".c tests/*/"$name".sh 2>/dev/null \
		| grep -v '^tests/\(lib\|tools\|fuzz\|bench\)/')
	[ -n "$file" ] || run "$name" false
	for f in $file; do
		case $f in
		*.sh) run "$name" sh "$f" ;;
		*) run "$name" "$BUILD/${f%.c}" ;;
		esac
	done
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
