#!/bin/sh
# Runs the commands of docs/tour.md, that is the first lines "$ ..." of its
# fenced blocks, and compares what they print with the rest of the block.
# With --write, writes what they print into the page (make docs).
BUILD=${BUILD:-build}
export LC_ALL=C
page=docs/tour.md
fresh=$BUILD/tour.md
mkdir -p "$BUILD"
awk -v build="$BUILD/" '
	/^```/ { inside = !inside; begins = inside; done = 0; print; next }
	done { next }
	begins && /^\$ / {
		print
		command = substr($0, 3)
		gsub(/build\//, build, command)
		command = "{ " command "; } 2>&1 </dev/null"
		while ((command | getline line) > 0) {
			gsub(build, "build/", line)
			print line
		}
		close(command)
		done = 1
	}
	{ if (!done) print; begins = 0 }
' $page >"$fresh" || exit 1
if [ "$1" = --write ]; then
	cat "$fresh" >$page
	exit
fi
echo "# $(grep -c '^\$ ' $page) commands"
if diff $page "$fresh" >"$fresh.diff"; then
	echo "ok the commands of $page print what it says"
else
	head -n 40 "$fresh.diff"
	echo "# (make docs writes the page anew)"
	echo "not ok the commands of $page print what it says"
fi
