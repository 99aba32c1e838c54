#!/bin/sh
# make install: all that a newcomer needs, below DESTDIR; uninstall takes it away.
W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
fails=0
share=$W/usr/local/share

# check NAME COMMAND...: the command must succeed
check() {
	name=$1
	shift
	if "$@" >"$W.log" 2>&1; then
		echo "ok install: $name"
	else
		sed 's/^/# /' "$W.log" | head -n 5
		echo "not ok install: $name"
		fails=$((fails + 1))
	fi
	rm -f "$W.log"
}
mk() {
	make "$1" BUILD="${BUILD:-build}" DESTDIR="$W" PREFIX=/usr/local
}
# every option of the table stands in the file $1, written as sed's $2 says
options() {
	sed -n 's/^OPTION("[^"]*", "\([^"]*\)".*/\1/p' compiler/cli/options.def |
		sed "$2" | while read -r word; do
			grep -qF -e "$word" "$1" || { echo "no $word"; exit 1; }
		done
}
check "installs" mk install
check "run files" cmp examples/animatediff.yaml "$share/sluice/examples/animatediff.yaml"
check "the small model runs from there" "$W/usr/local/bin/sluice" generate --dry-run \
	"$share/sluice/examples/shapes/run.yaml"
check "the manual has every option" options "$share/man/man1/sluice.1" \
	's/-/\\-/g; s/^/\\-\\-/'
check "completion has every option" options \
	"$share/bash-completion/completions/sluice" 's/^/--/'
check "uninstalls" mk uninstall
check "nothing is left" eval '[ -z "$(find "$W" -type f)" ]'
[ $fails -eq 0 ]
