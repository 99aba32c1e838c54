# cli.sh - what the tests of the command line share: a folder that goes away, a
# model and a pipeline small enough for a shell, and the ways to expect.
# Sourced from the project's folder; the test goes on in the new one.
. tests/tools/same.sh
ROOT=$PWD
SLUICE=${SLUICE:-$PWD/build/sluice}
TENSORS=$PWD/${BUILD:-build}/tests/tools/tensors
PIPELINE=$ROOT/tests/data/pipelines/animatediff_ddim
DIR=$(mktemp -d "${TMPDIR:-/tmp}/sluice-cli-XXXXXX")
MESSAGES=$(mktemp -d "${TMPDIR:-/tmp}/sluice-cli-XXXXXX")
trap 'chmod -R u+w "$DIR"; rm -rf "$DIR" "$MESSAGES"' EXIT
trap 'exit 1' INT TERM
cd "$DIR" || exit 1

cat >tiny.slu <<'EOF'
param n = 4
model tiny(x: [h=n, w=n, c=8]) -> y {
    y = x |> conv(8, 3, over=[h, w]) @conv |> silu
    return y |> linear(8) @out
}
EOF
cat >run.yaml <<EOF
model: {base: $PIPELINE/model, unet: [$PIPELINE/model/unet, $PIPELINE/motion_adapter]}
prompt: a small red boat
frames: 2
size: 16x16
steps: 2
output: out.gif
EOF

# Reports a test; its condition is what follows the name.
check() {
	name=$1
	shift
	if "$@"; then
		echo "ok $name"
	else
		echo "# failed: $*"
		sed 's/^/# stderr: /' "$MESSAGES/err" | cut -c1-200 | head -5
		echo "not ok $name"
	fi
}

# sluice ARGS...: data to $MESSAGES/out, messages to $MESSAGES/err, the exit
# code to $code.
run() {
	"$SLUICE" "$@" >"$MESSAGES/out" 2>"$MESSAGES/err" </dev/null
	code=$?
}

# tensors OUT NAME:TYPE:SHAPE=VALUE...
tensors() {
	"$TENSORS" "$@"
}

says() {
	grep -qF -e "$1" "$MESSAGES/err"
}

# refused NAME CODE TEXT ARGS...: sluice must end with CODE and say TEXT, and
# leave the folder as it was, no data written.
refused() {
	name=$1 want=$2 text=$3
	shift 3
	before=$(ls -AlR --time-style=+)
	run "$@"
	bad=
	[ $code -eq "$want" ] || bad="exit code $code, not $want"
	says "$text" || bad="$bad; no message '$text'"
	[ "$before" = "$(ls -AlR --time-style=+)" ] || bad="$bad; files changed"
	[ ! -s "$MESSAGES/out" ] || bad="$bad; data on standard output"
	if [ -z "$bad" ]; then
		echo "ok $name"
	else
		echo "# sluice $*"
		echo "# $bad"
		sed 's/^/# stderr: /' "$MESSAGES/err" | cut -c1-200 | head -5
		echo "not ok $name"
	fi
}
