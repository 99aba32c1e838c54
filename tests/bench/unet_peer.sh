#!/bin/sh
# Sluice beside diffusers on PyTorch, in turns on one machine: one guided step of
# the AnimateDiff UNet, or with the argument "vae" the decoding of one clip; f32,
# random weights, no downloads.  Prints a table: seconds (the best of all runs),
# ratio to diffusers' better layout, processor seconds, memory.
#
#	PEER_PYTHON	python with torch and diffusers (python3)
#	PEERS		folder of unet_peer.py and vae_peer.py; required
#	FRAMES HEIGHT WIDTH	the clip, in pixels (8 256 256)
#	RUNS		rounds (2); THREADS	(all processors)
# Memory of Sluice "beyond the weights" counts all of its process: the weights
# pass through the plan's arena, and none stay behind it.  Its processor seconds
# count making the weights, too; its seconds per step do not.
set -eu
what=${1:-unet}
python=${PEER_PYTHON:-python3}
frames=${FRAMES:-8} height=${HEIGHT:-256} width=${WIDTH:-256}
runs=${RUNS:-2} threads=${THREADS:-$(nproc)}
sluice=${BUILD:-build}/sluice
case $what in
unet) model=animatediff ;;
vae) model=vae_decode ;;
*) echo "usage: $0 [unet|vae]" >&2; exit 2 ;;
esac
peer=${PEERS:?names the folder of the peer scripts}/${what}_peer.py
[ -f "$peer" ] || { echo "$0: no $peer" >&2; exit 3; }
[ -x "$sluice" ] || { echo "$0: no $sluice: make" >&2; exit 3; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

"$sluice" compile --quiet "examples/$model.slu" -D "frames=$frames" \
	-D "height=$((height / 8))" -D "width=$((width / 8))" -o "$tmp/plan.slb"

# Settings for one library's workarounds would slow down the other's.
for v in $(env | sed -n 's/^\(OPENBLAS_[A-Z0-9_]*\)=.*/\1/p'); do
	unset "$v"
done

run_peer() {
	"$python" "$peer" --model animatediff --frames "$frames" \
		--height "$height" --width "$width" --threads "$threads" \
		--warmup 1 --steps 1 --label "$1" $2 >>"$tmp/peer.jsonl"
}

run_sluice() {
	"$python" -c 'import json, resource, subprocess, sys
out = json.loads(subprocess.run(sys.argv[1:], check=True,
    stdout=subprocess.PIPE).stdout)
out["user"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
print(json.dumps(out))' "$sluice" bench --quiet --json --threads "$threads" \
		"$tmp/plan.slb" >>"$tmp/sluice.jsonl"
}

i=0
while [ $i -lt "$runs" ]; do
	run_sluice
	run_peer default ""
	run_sluice
	run_peer channels_last --channels-last
	i=$((i + 1))
done

"$python" - "$tmp" "$what" "$frames" "$height" "$width" "$threads" <<'TABLE'
import json, sys
folder, what, frames, height, width, threads = sys.argv[1:]
def read(name):
    return [json.loads(line) for line in open(f"{folder}/{name}.jsonl")]
rows = []
ours = read("sluice")
peak = max(r["process_peak_bytes"] for r in ours)
rows.append((f"Sluice ({ours[0]['backend']})",
    min(r["seconds_per_step"] for r in ours), min(r["user"] for r in ours),
    peak, peak))
for label in "default", "channels_last":
    runs = [r for r in read("peer") if r["options"]["label"] == label]
    rows.append((f"diffusers, {label}", min(r["seconds_min"] for r in runs),
        min(r["user_cpu_seconds"] for r in runs),
        max(r["beyond_heap_bytes"] for r in runs),
        max(r["peak_rss_bytes"] for r in runs)))
best = min(r[1] for r in rows[1:])
heap = min(r[3] for r in rows[1:])
print(f"{what}, {frames} frames of {height}x{width}, f32, {threads} threads\n")
print("|  | seconds | ratio | processor s | beyond the weights, MiB | ratio |"
    " process, MiB |")
print("|---|---|---|---|---|---|---|")
for name, seconds, user, beyond, process in rows:
    print(f"| {name} | {seconds:.2f} | {seconds / best:.2f} | {user:.1f} |"
        f" {beyond / 2**20:.0f} | {beyond / heap:.2f} |"
        f" {process / 2**20:.0f} |")
TABLE
