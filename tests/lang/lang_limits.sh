#!/bin/sh
# The language's limits, and texts that no case of tests/lang/lang.sh can hold: what
# a limit allows compiles, one more is refused with a message, however much
# more.
SLUICE=${SLUICE:-$PWD/build/sluice}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
failed=0
m='model m(x: [c=4]) -> y {'

repeat() { awk -v n="$1" -v s="$2" 'BEGIN { while (n-- > 0) printf "%s", s }'; }

# try NAME CODE MESSAGE: compiles m.slu; the first line printed holds the
# message.  Without one nothing is printed.
try() {
	timeout 60 "$SLUICE" compile --quiet m.slu >got 2>&1
	code=$?
	if [ -n "$3" ]; then head -n 1 got | grep -qF -- "$3"
	else [ ! -s got ]; fi
	if [ $? -eq 0 ] && [ $code -eq "$2" ]; then
		echo "ok limits: $1"
	else
		head -n 3 got | cut -c 1-200 | sed 's/^/# /'
		echo "not ok limits: $1: exit code $code"
		failed=1
	fi
}

# nest NAME MOST BEFORE OPEN INNER CLOSE AFTER: MOST levels are allowed.
nest() {
	for n in "$2" $(($2 + 1)) 5000; do
		{ echo "$3"; repeat "$n" "$4"; printf '%s' "$5"
		repeat "$n" "$6"; echo "$7"; } >m.slu
		if [ "$n" -eq "$2" ]; then try "$1: $n levels" 0
		else try "$1: $n levels are too many" 3 \
			'nested more than 256 levels deep'; fi
	done
}

# allow NAME TEXT, refuse NAME MESSAGE TEXT
allow() { printf '%s\n' "$2" >m.slu; try "$1" 0; }
refuse() { printf '%s\n' "$3" >m.slu; try "$1" 3 "$2"; }

# ---- 256 levels of nesting (of the syntax tree: a map's entry and a statement's
# body are levels, too) ----
nest parentheses 256 'a =' '(' 1 ')' "$m return x }"
nest lists 255 'a =' '[' 1 ']' "$m return x }"
nest maps 127 'a =' '{k: ' 1 '}' "$m return x }"
nest signs 255 'a =' '- ' 1 '' "$m return x }"
nest sums 255 'a =' '1 + ' 1 '' "$m return x }"
nest choices 255 'a =' 'false ? 1 : ' 1 '' "$m return x }"
nest texts 255 'a =' '"x{' 1 '}"' "$m return x }"
nest calls 253 "block f(x) { return x } $m return" 'f(' x ')' '}'
nest pipes 253 "$m return x" ' |> silu' '' '' '}'
nest bodies 126 "$m" 'if true {' 'a = 1' '}' 'return x }'

# ---- 16 levels of inclusion ----
for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
	echo "include \"$((i + 1)).slu\" block b$i(x) { return b$((i + 1))(x) }"
done | { i=0; while read -r line; do echo "$line" >$i.slu; i=$((i + 1)); done; }
echo 'block b16(x) { return x }' >16.slu
allow '16 levels of inclusion' "include \"1.slu\" $m return b1(x) }"
refuse '17 levels of inclusion' 'more than 16 levels of inclusion' \
	"include \"0.slu\" $m return b0(x) }"
echo 'include "b.slu" block a(x) { return b(x) }' >a.slu
echo 'include "a.slu" include "m.slu" block b(x) { return silu(x) }' >b.slu
allow 'files that include each other' "include \"a.slu\" $m return a(x) }"

# ---- a path is relative to the including file, and shown with its folder ----
mkdir -p sub/deep
echo 'include "deep/c.slu" block a(x) { return c(x) }' >sub/a.slu
echo 'include "../../d.slu" block c(x) { return d(x) }' >sub/deep/c.slu
echo 'block d(x) { return x + nix }' >d.slu
refuse 'included folders' "sub/deep/../../d.slu:1:25: error: 'nix' has no value here" \
	"include \"sub/a.slu\" include \"d.slu\" $m return a(x) }"

# ---- 200,000 values ----
refuse '200,000 values' 'the program has more than 200000 values' \
	"$m for i in 0..200000 { a = x + i } return x }"

# ---- 65,536 elements, bytes of a text, 1,024 bytes of a name ----
allow '65,536 elements' "$m l = [] for i in 0..65535 { l += i } l += 1 return x }"
refuse '65,537 elements' 'a list has at most 65536 elements' \
	"$m l = [] for i in 0..65537 { l += i } return x }"
refuse 'a range joined on' 'a list has at most 65536 elements' \
	"$m l = [] l += 0..1000000000000 return x }"
refuse 'a range reversed' 'a list has at most 65536 elements' \
	"$m l = reversed(0..65537) return x }"
refuse 'the elements of a parameter' \
	'the number of elements is an int up to 65536, this is 65537' \
	"param a[65537] = 1 $m return x }"
allow 'a text of 65,536 bytes' \
	"$m s = \"x\" for i in 0..16 { s = \"{s}{s}\" } return x }"
refuse 'a text of 131,072 bytes' 'a string has at most 65536 bytes' \
	"$m s = \"x\" for i in 0..17 { s = \"{s}{s}\" } return x }"

# ---- work and memory ----
steps='evaluating this file takes more than 10000000 steps'
memory='evaluating this file takes more than 512 MiB'
refuse 'a loop without end' "$steps" \
	"$m for i in 0..9000000000000000000 { } return x }"
refuse 'calls that double' "$steps" "$(for i in $(seq 0 39); do
		echo "block f$i(x) { return f$((i + 1))(f$((i + 1))(x)) }"
	done) block f40(x) { return x } $m return f0(x) }"
refuse 'a list that is copied again and again' "$memory" \
	"$m l = [] for i in 0..65000 { l += i d = l d += 1 } return x }"
refuse 'the same error again and again' "no block, model or op is called 'nix'" \
	"$m for i in 0..3000000 { a = nix() } return x }"
refuse 'blocks that call each other 2000 deep' \
	'calls and expressions are nested too deeply' \
	"$(for i in $(seq 0 1999); do
		echo "block f$i(x) { return f$((i + 1))(x) }"
	done) block f2000(x) { return x } $m return f0(x) }"
refuse 'lists within lists, compared' \
	'these values are nested too deeply to be compared' \
	"$m a = [1] for i in 0..200000 { a = [a] } check a == a, \"\" return x }"

# ---- texts ----
printf '%s return x }\r\n# the end' "$m" >m.slu
try 'carriage returns, and no end of the last line' 0
printf '%s return x } \001\n' "$m" >m.slu
try 'a control character' 3 "m.slu:1:37: error: unexpected character '\\x01'"
printf '%s return x } \377\n' "$m" >m.slu
try 'a byte that is no UTF-8' 3 "m.slu:1:37: error: unexpected character '\\xff'"
printf '%s return x } \000\n' "$m" >m.slu
try 'a text with a NUL' 8 "cannot read 'm.slu': it is not a text"
{ echo "$m return x }"; repeat 1048540 '#'; } >m.slu
try 'a file of 1 MiB' 0
echo '#' >>m.slu
try 'a file of more' 8 "cannot read 'm.slu': it is longer than 1 MiB"
rm m.slu
try 'a file that is not there' 8 \
	"cannot read 'm.slu': No such file or directory"
exit $failed
