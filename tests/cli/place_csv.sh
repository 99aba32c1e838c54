#!/bin/sh
# `sluice place`: offsets in the written file, reports, exit codes, and a
# message with line and column for each kind of mistake in the CSV.
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
in=$dir/in.csv out=$dir/out.csv log=$dir/log

# ok NAME COMMAND...: passes when the command succeeds.
ok()
{
	name=$1
	shift
	if "$@"; then echo "ok $name"; else echo "not ok $name"; cat "$log"; fi
}

# place CODE ARGUMENTS...: runs with the file of standard input.
place()
{
	want=$1
	shift
	cat >"$in"
	"$SLUICE" place "$in" "$@" >"$dir/stdout" 2>"$log"
	code=$?
	[ $code -eq "$want" ] || { echo "# exit code $code" >>"$log"; false; }
}

# refuse NAME WHERE WORDS: the file of standard input is refused with code 3.
refuse()
{
	place 3 --output "$out" && grep -qF "$in:$2: $3" "$log" \
		&& [ ! -e "$out" ]
	ok "$1" [ $? -eq 0 ]
}

csv() { printf "$1" | place "$2" --deadline 5 --output "$out"; }
column() { cut -d, -f"$1" "$out" | tr '\n' ' '; }

rm -f "$out"
refuse "an empty file" 1:1 "the file is empty" </dev/null
printf 'id,lower,size\n' | refuse "a missing column" 1:1 \
	"the header has no column 'upper'"
printf 'id,lower,upper,size,lower\n' | refuse "a column twice" 1:21 \
	"a column stands twice"
printf 'offset,lower,upper,size,offset\n' | refuse "two offsets" 1:25 \
	"a second column 'offset'"
printf 'id,lower,upper,size\n0,1,2\n' | refuse "a short line" 2:1 \
	"3 fields, but the header has 4"
printf 'id,lower,upper,size\n0,1,2,3\n0,1,2,3,4\n' | refuse "a long line" \
	3:1 "5 fields, but the header has 4"
printf 'id,lower,upper,size\n\n0,1,2,3\n' | refuse "an empty line" 2:1 \
	"an empty line"
printf 'id,lower,upper,size\n0,1,2,3x\n' | refuse "no integer" 2:7 \
	"size is not a 64-bit integer"
printf 'id,lower,upper,size\n0,,2,3\n' | refuse "an empty field" 2:3 \
	"lower is not a 64-bit integer"
printf 'id,lower,upper,size\n0,1,9223372036854775808,3\n' | refuse \
	"an integer of 65 bits" 2:5 "upper is not a 64-bit integer"
printf 'id,lower,upper,size\n0,5,5,3\n' | refuse "an empty lifetime" 2:5 \
	"upper must be greater than lower"
printf 'id,lower,upper,size\n0,1,2,0\n' | refuse "no bytes" 2:7 \
	"size must be positive"
printf 'id,lower,upper,size\n0,1,2,-8\n' | refuse "fewer than no bytes" 2:7 \
	"size must be positive"
printf 'id,lower,upper,size,align\n0,1,2,8,0\n' | refuse "no alignment" 2:9 \
	"align must be positive"
printf 'lower,upper,size\n0,1,900000000000000000\n0,1,900000000000000000\n' |
	refuse "sizes that overflow" 3:1 "the sizes and alignments"
printf 'lower,upper,size,align\n0,1,1,9223372036854775807\n' |
	refuse "alignments that overflow" 2:1 "the sizes and alignments"
printf 'id,lower,upper,size\n0,1,2,\0003\n' | refuse "a NUL byte" \
	2:7 "a NUL byte"
head -c 70000 /dev/zero | tr '\0' x | refuse "a line without end" 1:1 \
	"a line of over 65536 bytes"

# what is wrong is said before the rest of the file is there: the writer of the
# pipe lives until its reader has answered
said()
{
	mkfifo "$dir/pipe"
	{ printf "$1"; exec sleep 60; } >"$dir/pipe" &
	writer=$!
	"$SLUICE" place "$dir/pipe" --output "$out" 2>"$log" >"$dir/stdout"
	code=$?
	kill -0 $writer && kill $writer
	alive=$?
	rm "$dir/pipe"
	[ $code -eq 3 ] && [ $alive -eq 0 ]
}
said 'a,b,c\n'
ok "a wrong header is answered before the file is read" [ $? -eq 0 ]
said 'lower,upper,size\n0,1,2\n3,2,1\n'
ok "a wrong line is answered before the rest is read" [ $? -eq 0 ]

"$SLUICE" place "$dir/none.csv" >"$log" 2>&1
ok "a missing file" [ $? -eq 8 ]
csv 'lower,upper,size\n0,1,1\n' 0
"$SLUICE" place "$in" --deadline -1 >"$log" 2>&1
ok "a negative deadline" [ $? -eq 2 ]
"$SLUICE" place "$in" --capacity 0 >"$log" 2>&1
ok "a capacity of nothing" [ $? -eq 2 ]

csv 'id,lower,upper,size\n' 0
ok "a header alone" [ "$(cat "$out")" = id,lower,upper,size,offset ]
csv 'size,x,upper,lower\r\n4,a,2,0\r\n6,b,3,1\r\n4,c,5,2\r\n' 0
ok "columns in any order, line ends of two bytes" \
	[ "$(column 2,5)" = "x,offset a,6 b,0 c,6 " ]
csv 'lower,upper,offset,size\n0,2,99,4\n0,2,99,4\n' 0
ok "an old offset is replaced" [ "$(head -1 "$out") $(column 1-3 |
	tr ' ' '\n' | wc -l)" = "lower,upper,size,offset 3" ]
csv 'lower,upper,size,align\n0,4,3,4\n0,4,5,8\n0,4,6,8\n' 0
ok "offsets are multiples of the alignment" awk -F, '
	NR > 1 { bad += $5 % $4; if ($5 + $3 > top) top = $5 + $3 }
	END { exit bad || top != 19 }' "$out"
# high is 14 at a load of 13
table='lower,upper,size\n0,3,4\n3,5,3\n0,1,4\n4,6,3\n2,5,3\n4,6,4\n1,4,2\n'
table="${table}0,3,4\n5,6,4\n"
printf "$table" | place 0 --json
for key in '"height": 14' '"load_bound": 13' '"proven": true' '"seconds": 0.'
do
	ok "the report has $key" grep -qF "$key" "$dir/stdout"
done
printf "$table" | place 6 --capacity 13 --output "$out"
ok "a capacity that cannot be met" grep -q \
	"no placement within 13 bytes exists: the lowest has 14" "$log"
ok "... leaves the lowest placement" awk -F, '
	NR > 1 && $4 + $3 > top { top = $4 + $3 } END { exit top != 14 }' "$out"
printf "$table" | place 0 --capacity 14
ok "a capacity that can be met" [ $? -eq 0 ]

"$BUILD/tests/tools/place_cuts" 300 1 --pinwheels 0 >"$dir/cuts.csv" 2>"$log"
for deadline in 0 10; do
	"$SLUICE" place "$dir/cuts.csv" --deadline $deadline --json \
		--output "$out" >"$dir/stdout" 2>"$log"
	ok "deadline $deadline: no two buffers share a byte" awk -F, '
		NR > 1 { lo[NR] = $2; hi[NR] = $3
			at[NR] = $5; top[NR] = $5 + $4
			for (k = 2; k < NR; k++)
				bad += lo[k] < hi[NR] && lo[NR] < hi[k] \
					&& at[k] < top[NR] && at[NR] < top[k] }
		END { exit bad || NR != 301 }' "$out"
done
ok "300 pieces of a rectangle fit into it" grep -qF '"height": 1048576' \
	"$dir/stdout"
