#!/bin/sh
# Includes go the way that the table in docs/architecture.md allows; every room
# has a line there; one include against it is noticed.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

sed -n '/^```rooms/,/^```$/p' docs/architecture.md | grep -v '^```' >"$dir/table"

# "FILE HEADER" for each include of a file of ours
includes() {
	find ir lang vm kernels compiler -name '*.[chlyu]*' -type f \
		-exec grep -Ho '^ *# *include "[^"]*"' {} + |
		sed 's/: *# *include "/ /; s/"$//'
}

# Prints what goes against the table $1; stdin: includes.
against() {
	awk 'NR == FNR { sub(":", "", $1); known[$1] = 1
		for (i = 2; i <= NF; i++) may[$1, $i] = 1
		next }
	function room(f, r) {
		r = f; sub("/[^/]*$", "", r)
		return r == "compiler" ? "compiler/*." substr(f, length(f)) : r
	}
	{ a = room($1); b = room($2)
	if (!(a in known)) print $1 ": its room has no line in the table"
	else if (index($2, "/") == 0) print $1 " includes " $2 ", not by root"
	else if (a != b && !((a, b) in may))
		print $1 " includes " $2 ": " a " may not look into " b }' \
		"$1" -
}

includes | grep -v ' lang/\(gram\|scan\)\.h$' | against "$dir/table" >"$dir/bad"
cat "$dir/bad"
if [ -s "$dir/bad" ]; then
	echo "not ok includes go the way the table allows"
else
	echo "ok includes go the way the table allows"
fi

for planted in "ir/graph.c vm/plan/plan.h" "compiler/place/place.c compiler/program.h" \
	"kernels/cpu/conv.c vm/vm.h" "vm/new/x.c ir/ir.h" "vm/exec.c plan.h"; do
	echo "$planted" | against "$dir/table" | grep -q . \
		&& echo "ok noticed: $planted" || echo "not ok noticed: $planted"
done

# The table has no circle: rooms can be taken away one by one, each when all
# that it may look into is gone.
awk '{ sub(":", "", $1); n++; name[n] = $1
	for (i = 2; i <= NF; i++) if ($i != "-") needs[$1, ++c[$1]] = $i }
	END { for (again = 1; again;) { again = 0
		for (k = 1; k <= n; k++) { r = name[k]; if (gone[r]) continue
			free = 1
			for (i = 1; i <= c[r]; i++) if (!gone[needs[r, i]]) free = 0
			if (free) { gone[r] = 1; again = 1; left-- } } }
	for (k = 1; k <= n; k++) if (!gone[name[k]]) { print name[k]; bad = 1 }
	exit bad }' "$dir/table" && echo "ok the table has no circle" \
	|| echo "not ok the table has no circle"
