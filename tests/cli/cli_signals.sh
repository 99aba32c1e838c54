#!/bin/sh
# ^C: a run ends with exit code 130 and leaves nothing half-written, whatever it
# was doing.
. tests/tools/cli.sh

# Starts sluice, waits until the line LINE stands in its messages or the file
# `begun` is there, and interrupts it with the signal.
interrupt() {
	signal=$1
	shift
	rm -f "$MESSAGES/err"
	"$SLUICE" "$@" >"$MESSAGES/out" 2>"$MESSAGES/err" </dev/null &
	pid=$!
	tries=0
	until grep -qs '"phase": "loop"' "$MESSAGES/err" || [ -e begun ]; do
		sleep 0.1
		tries=$((tries + 1))
		[ $tries -lt 300 ] || break
	done
	kill "-$signal" $pid
	wait $pid
	code=$?
}

only() {
	[ "$(ls -A)" = "$1" ]
}

files=$(ls -A)
long="--set steps=900 --progress=json"
for signal in INT TERM; do
	interrupt $signal generate run.yaml $long --set 'output=[a.gif, b/, c.safetensors]'
	check "SIG$signal ends generate with 130" [ $code -eq 130 ]
	check "and a message" says interrupted
	check "and no files" only "$files"
done

"$SLUICE" compile text_to_video.slu --quiet -o p.slb --hf "$PIPELINE/model" \
	--component "unet=$PIPELINE/model/unet,$PIPELINE/motion_adapter" \
	-D frames=2 -D height=8 -D width=8 -D steps=900 -D tokens=77
tensors inputs.safetensors tokens:i32:2x77=0 guidance:f32:=7.5
files=$(ls -A)
interrupt INT run p.slb --weights "$PIPELINE/model" \
	--component "unet=$PIPELINE/model/unet,$PIPELINE/motion_adapter" \
	--in inputs.safetensors --out o.safetensors --progress=json
check "^C ends run with 130" [ $code -eq 130 ]
check "and no output" only "$files"

# While ffmpeg works: its file has a temporary name.
mkdir bin
cat >bin/ffmpeg <<'EOF'
#!/bin/sh
touch begun
exec sleep 2
EOF
chmod +x bin/ffmpeg
files=$(ls -A)
PATH=$DIR/bin:$PATH
export PATH
interrupt INT generate run.yaml --quiet --set output=a.mp4
check "^C while a file is written ends with 130" [ $code -eq 130 ]
rm -f begun
check "and the file is gone" only "$files"
