#!/bin/sh
# The language's cases: tests/lang/cases/*.slu hold many each.  A case is
#     # what: its name
#     # run: options of `sluice compile`         (may be left out)
#     # exit: 3                                  (may be left out)
#     ...a source...
#     # file: other.slu                          (more files, may be left out)
#     # >>>
#     # all that is printed
#     # <<<
# The source is compiled as m.slu in a folder of its own, where --quiet keeps all
# but errors and dumps from being printed.  Without "exit:" the code is 0, or 3
# when an error is expected.  `BLESS=1 sh tests/lang/lang.sh tests/lang/cases/FILE.slu`
# writes what is printed now into the file: read the difference.
SLUICE=${SLUICE:-$PWD/build/sluice}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
[ $# -gt 0 ] || set -- tests/lang/cases/*.slu

split='
/^# what: / {
	n++
	dir = sprintf("%s/%04d", tmp, n)
	system("mkdir " dir)
	out = dir "/m.slu"
	printf "%s", substr($0, 9) > (dir "/what")
	printf "" > (dir "/want")
	printf "" > out
	expecting = 0
	next
}
/^# run: /  { print substr($0, 8) > (dir "/run"); next }
/^# exit: / { print substr($0, 9) > (dir "/exit"); next }
/^# file: / { close(out); out = dir "/" substr($0, 9); next }
/^# >>>$/   { expecting = 1; next }
/^# <<<$/   { expecting = 0; out = dir "/rest"; next }
expecting   { print substr($0, 3) > (dir "/want"); next }
out != ""   { print > out }'

bless='
BEGIN       { keep = 1 }
/^# what: / { n++ }
keep        { print }
/^# <<<$/   { keep = 1 }
/^# >>>$/   {
	got = sprintf("%s/%04d/got", tmp, n)
	while ((getline line < got) > 0)
		print line == "" ? "#" : "# " line
	print "# <<<"
	keep = 0
}'

failed=0
for file; do
	mkdir "$tmp/cases"
	awk -v tmp="$tmp/cases" "$split" "$file"
	name=${file##*/}
	name=${name%.slu}
	for dir in "$tmp"/cases/*; do
		options=
		[ ! -f "$dir/run" ] || read -r options <"$dir/run"
		(cd "$dir" && eval "timeout 60 $SLUICE compile --quiet $options m.slu") \
			>"$dir/got" 2>&1
		code=$?
		expected=0
		grep -q 'error: ' "$dir/want" && expected=3
		[ ! -f "$dir/exit" ] || read -r expected <"$dir/exit"
		if [ $code -eq "$expected" ] && cmp -s "$dir/want" "$dir/got"; then
			echo "ok $name: $(cat "$dir/what")"
		else
			diff "$dir/want" "$dir/got" | sed 's/^/# /'
			echo "not ok $name: $(cat "$dir/what"): exit code $code"
			failed=1
		fi
	done
	if [ -n "$BLESS" ]; then
		awk -v tmp="$tmp/cases" "$bless" "$file" >"$tmp/new" \
			&& cp "$tmp/new" "$file"
	fi
	rm -rf "$tmp/cases"
done
exit $failed
