#!/bin/sh
# What README.md and docs/ say is true: links lead somewhere, files that are
# named exist, commands and options are those of --help, exit codes those of
# ir/base/base.h, docs/ops.md what `make docs` writes.
BUILD=${BUILD:-build}
SLUICE=${SLUICE:-$BUILD/sluice}
pages="README.md docs/*.md"
bad=$BUILD/docs.bad
mkdir -p "$BUILD"

# verdict NAME: ok when nothing was written to $bad
verdict() {
	if [ -s "$bad" ]; then
		sed 's/^/# /' "$bad"
		echo "not ok $1"
	else
		echo "ok $1"
	fi
}

"$BUILD/tests/tools/ops_doc" | diff docs/ops.md - >"$bad" \
	|| echo "(make docs writes docs/ops.md anew)" >>"$bad"
verdict "docs/ops.md is fresh"

for page in $pages; do
	grep -o '](\([^)#]*\)' "$page" | sed 's/](//' | while read -r link; do
		[ -z "$link" ] || [ -e "$(dirname "$page")/$link" ] \
			|| echo "$page links to $link"
	done
done >"$bad"
verdict "links lead somewhere"

folders='compiler|docs|examples|ir|kernels|lang|tests|vm'
for page in $pages; do
	grep -oE "(^|[\` ])($folders)/[A-Za-z0-9_./*]*" "$page" \
		| sed 's/^[` ]//; s/[.]*$//' | sort -u | while read -r file; do
		case $file in
		examples/shapes/out.gif) continue ;;    # made by make demo
		esac
		ls -d $file >/dev/null 2>&1 || echo "$page names $file"
	done
done >"$bad"
verdict "files that are named exist"

for page in $pages; do
	grep -oE '(^ *|`|/)sluice [a-z]+( [^|`#]*)?' "$page" | sed 's/^.*sluice //' \
		| while read -r command rest; do
		help=$("$SLUICE" "$command" --help 2>/dev/null) || {
			echo "$page: no command $command"
			continue
		}
		for word in $rest; do
			case $word in
			--*) ;;
			*) continue ;;
			esac
			word=$(echo "$word" | sed 's/[^-a-z].*//')
			echo "$help" | grep -qe " $word\b" \
				|| echo "$page: sluice $command has no $word"
		done
	done
done >"$bad"
verdict "commands and options are those of --help"

sed -n 's/^.*EXIT_[A-Z]* = \([0-9]*\),.*/\1/p' ir/base/base.h | while read -r code; do
	grep -q "| $code |" README.md || echo "README.md lacks $code"
	"$SLUICE" --help | grep -q "\b$code " || echo "--help lacks $code"
done >"$bad"
verdict "exit codes are those of ir/base/base.h"
