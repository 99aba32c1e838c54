#!/bin/sh
# The tables of docs/placement.md: the placement engine on benchmark instances,
# on variants of them, and on pieces of a rectangle.
#
#   sh tests/bench/place.sh [FOLDER [LARGE]]
#
# FOLDER (or $PLACE_BENCH) holds NAME.CAPACITY.csv files, as the benchmark of
# minimalloc does, LARGE holds files without a capacity in their name, of which
# the heights are shown; without them only the rectangles are.  Needs a built
# sluice (BUILD, default build) and its tools (`make check`).  RUNS: how often
# each time is measured (5); the median is printed.
BUILD=${BUILD:-build}
SLUICE=$BUILD/sluice
CUTS=$BUILD/tests/tools/place_cuts
RUNS=${RUNS:-5}
folder=${1:-$PLACE_BENCH}
large=$2
[ -x "$SLUICE" ] && [ -x "$CUTS" ] || { echo "make check first" >&2; exit 2; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

# report FILE OPTIONS...: height, bound, proven, seconds, nodes.
report()
{
	"$SLUICE" place "$@" --json | tr -d '{}",' | awk '{
		for (i = 1; i < NF; i += 2) v[$i] = $(i + 1)
		print v["height:"], v["load_bound:"], v["proven:"],
			v["seconds:"], v["nodes:"] }'
}

# median FILE OPTIONS...: a report whose seconds are the median of RUNS.
median()
{
	for run in $(seq "$RUNS"); do report "$@"; done | sort -n -k 4 |
		awk '{ line[NR] = $0 } END { print line[int((NR + 1) / 2)] }'
}

gap() { awk "BEGIN { printf \"%.2f %%\", 100 * ($1 - $2) / $2 }"; }
buffers() { echo $(($(wc -l <"$1") - 1)); }

# ---- the files ----

capacity_of() { name=${1%.csv}; echo "${name##*.}"; }

print_files()
{
	echo "| file | buffers | load | seconds to the capacity | nodes |"
	echo "|---|---|---|---|---|"
	for file in "$folder"/*.csv; do
		c=$(capacity_of "$file")
		set -- $(median "$file" --capacity "$c" --deadline 60)
		[ "$1" -le "$c" ] || set -- "$1" "$2" "$3" "not in $4" "$5"
		n=$(buffers "$file")
		echo "| $(basename "$file") | $n | $2 | $4 | $5 |"
		echo "$4" >>"$dir/seconds"
	done
	awk '{ sum += $NF } END { printf "| sum | | | %.3f | |\n\n", sum }' \
		"$dir/seconds"
}

# print_heights FOLDER
print_heights()
{
	echo "| file | buffers | load | at once | after 1 s | after 10 s |"
	echo "|---|---|---|---|---|---|"
	for file in "$1"/*.csv; do
		row="| $(basename "$file") | $(buffers "$file")"
		bound=
		for deadline in 0 1 10; do
			set -- $(report "$file" --deadline $deadline)
			[ -n "$bound" ] || row="$row | $2"
			bound=$2
			[ "$3" = true ] && p=", proven" || p=
			row="$row | $1 ($(gap "$1" "$2")$p)"
		done
		echo "$row |"
	done
	echo
}

# ---- variants: instances alike whose capacity is known ----

# shuffle SEED: the lines of a CSV in another order.
shuffle()
{
	awk -v seed="$1" 'BEGIN { srand(seed) } NR == 1 { print "0 " $0; next }
		{ print 1 + rand(), $0 }' | sort -g | cut -d ' ' -f 2-
}

# change PROGRAM: awk over the fields of the items.
change() { awk -F, -v OFS=, "NR > 1 { $1 } { print }"; }

print_variant()
{
	title=$1 factor=$2
	shift 2
	row="| $title"
	for file in "$folder"/*.csv; do
		c=$(($(capacity_of "$file") * factor))
		"$@" <"$file" >"$dir/variant.csv"
		answer=$(report "$dir/variant.csv" --capacity $c --deadline 10)
		row="$row | $(echo "$answer" | awk -v c=$c '{
			print $1 <= c ? $4 : "not in " $4 }')"
	done
	echo "$row |"
}

# Some of the buffers: SHARE of ten.
part() { shuffle "$1" | awk -v n="$2" 'NR == 1 || NR % 10 < n'; }
# The buffers of another file beside those of this one.
upon()
{
	cat
	for other in "$folder"/*.csv; do
		[ "$other" = "$file" ] || { tail -n +2 "$other"; break; }
	done
}

# All buffers, and before them all of them in reversed time.
both()
{
	awk -F, '{ print }
		NR > 1 { line[NR] = (NR + 100000) "," (-$3) "," (-$2) "," $4 }
		END { for (k in line) print line[k] }'
}

print_variants()
{
	row="| variant" rule="|---"
	for file in "$folder"/*.csv; do
		row="$row | $(basename "$file" .csv)" rule="$rule|---"
	done
	echo "$row |"
	echo "$rule|"
	for seed in 1 2 3; do
		print_variant "shuffled ($seed)" 1 shuffle $seed
	done
	print_variant "time reversed" 1 change 't = $2; $2 = -$3; $3 = -t'
	print_variant "sizes times 7" 7 change '$4 *= 7'
	print_variant "nine of ten buffers" 1 part 4 9
	print_variant "eight of ten buffers" 1 part 5 8
	print_variant "its reverse before it" 1 both
	print_variant "another one upon it" 2 upon
	echo
}

# ---- rectangles ----

print_cuts()
{
	echo "| pieces | cut | at once | seconds | after 10 s | seconds |"
	echo "|---|---|---|---|---|---|"
	for n in 150 300 454 1000 2000 5000 20000; do
		for kind in "guillotine 0" "mixed 50" "alike 50 --even"; do
			set -- $kind
			"$CUTS" $n 1 --pinwheels $2 $3 --side 16384 --step 256 \
				>"$dir/cuts.csv"
			row="| $n | $1"
			for deadline in 0 10; do
				set -- $(report "$dir/cuts.csv" \
					--deadline $deadline)
				row="$row | +$(gap "$1" "$2") | $4"
			done
			echo "$row |"
		done
	done
}

if [ -n "$folder" ]; then
	print_files
	print_heights "$folder"
	print_variants
fi
[ -z "$large" ] || print_heights "$large"
print_cuts
