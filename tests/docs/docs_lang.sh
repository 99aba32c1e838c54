#!/bin/sh
# Runs the examples of docs/language.md, in order and in one folder.  What the
# words behind "```" say:
#     slu           a file that compiles
#     slu NAME.slu  the same, kept under that name for what follows
#     slu body      statements of a model with inputs x, text, step
#     slu error     a file that does not; the ```text that follows is printed
#     json NAME     a file
#     sh            commands that succeed
SLUICE=${SLUICE:-$PWD/build/sluice}
doc=$PWD/docs/language.md
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
failed=0

sluice() { "$SLUICE" "$@"; }

# Block N goes to file N, "line: words" to N.is.
awk '
/^```/ && out == "" {
	out = sprintf("%03d", ++n)
	print FNR ": " substr($0, 4) > (out ".is")
	printf "" > out
	next
}
/^```$/ { close(out); out = ""; next }
out != "" { print > out }' "$doc"

# report NAME CODE
report() {
	if [ "$2" -eq 0 ]; then
		echo "ok docs: $1"
	else
		sed 's/^/# /' got
		echo "not ok docs: $1"
		failed=1
	fi
}

compile() { sluice compile --quiet "$1" >got 2>&1; }

# Whether a file has something to compile.
has_model() { grep -q '^\(model\|pipeline\) ' "$1"; }

before='model m(x: [f=2, h=4, w=4, c=8], text: [token=3, c=8], step: f32[]) -> y {'
for is in *.is; do
	n=${is%.is}
	read -r line kind name <"$is"
	what="language.md:${line%:} $kind $name"
	case "$kind $name" in
	'slu body')
		{ echo "$before"; cat "$n"; echo 'return x }'; } >model.slu
		compile model.slu
		report "$what" $? ;;
	'slu error')
		cp "$n" model.slu
		compile model.slu
		[ $? -eq 3 ] && cp got printed
		report "$what" $? ;;
	'text ')
		cmp -s "$n" printed || { cat printed >got; false; }
		report "$what" $?
		rm -f printed ;;
	slu*)
		: "${name:=model.slu}"
		cp "$n" "$name"
		: >got
		! has_model "$name" || compile "$name"
		report "$what" $? ;;
	json*)
		cp "$n" "$name" ;;
	'sh ')
		( set -e; . "./$n" ) >got 2>&1
		report "$what" $? ;;
	' ')
		;;
	*)
		echo "no such kind of block" >got
		report "$what" 1 ;;
	esac
done
[ ! -f printed ] || { : >got; report 'an error without its text' 1; }
exit $failed
