#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The race of windows to verdicts: millwright and a usual Python pipeline in turns, on one core, same windows, same
# features, same model; one JSON line. Ratios of one interleaved run are what counts: single times move with the
# neighbours on the machine.
# usage: bench/race_typical_edge.sh PEER_DIR [ROUNDS] [WINDOWS] [SEED]
# PEER_DIR: a folder to chroot into, with Python, NumPy, SciPy, ONNX Runtime, and the pipeline as /peers/typical_edge.py.
set -eu
[ $# -ge 1 ] || { echo "usage: $0 PEER_DIR [ROUNDS] [WINDOWS] [SEED]" >&2; exit 2; }
peer=${1%/}
rounds=${2:-5}
windows=${3:-1000}
seed=${4:-1}
here=$(cd "$(dirname "$0")/.." && pwd)
ours=$here/build/bin/millwright
[ -x "$ours" ] || { echo "build millwright first" >&2; exit 2; }
core=$(($(nproc) - 1))
work=$(mktemp -d "$peer/tmp/race.XXXXXX")
trap 'rm -rf "$work"' EXIT
inside=/tmp/${work##*/}

cp "$here/tests/reference/features.py" "$here/bench/strong_edge.py" "$work"
chroot "$peer" python3 "$inside/features.py" make "$inside/windows" "$windows" "$seed" 2>"$work/log"
chroot "$peer" python3 /peers/typical_edge.py make-model "$inside/model.onnx" 2>>"$work/log"

run_ours() {
  taskset -c "$core" "$ours" bench --windows "$work/windows.f32" --model "$work/model.onnx" --features reference-64 \
    --json >>"$work/ours.jsonl"
}
run_peer() {
  OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 taskset -c "$core" chroot "$peer" \
    python3 /peers/typical_edge.py run "$inside/windows.f32" "$inside/model.onnx" >>"$work/peer.jsonl" 2>>"$work/log"
}
# The same with 64 windows at a time: what a Python programmer who measures would write.
run_strong() {
  OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 taskset -c "$core" chroot "$peer" \
    python3 "$inside/strong_edge.py" "$inside/windows.f32" "$inside/model.onnx" >>"$work/strong.jsonl" 2>>"$work/log"
}
# Ours runs before and after each turn of the peer, so that a slow drift of the machine falls on both.
for round in $(seq "$rounds"); do
  run_ours
  run_peer
  run_ours
  run_strong
  echo "round $round of $rounds" >&2
done

python3 - "$work" "$windows" "$seed" <<'EOF'
import json, statistics, sys

folder, windows, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
read = lambda name: [json.loads(line) for line in open(f"{folder}/{name}.jsonl") if line.strip().startswith("{")]
ours, peer, strong = read("ours"), read("peer"), read("strong")
speed = lambda entry: entry["windows_per_s"]
pairs = [(speed(ours[2 * i]) + speed(ours[2 * i + 1])) / 2 / speed(p) for i, p in enumerate(peer)]
a, b = ours[0]["score_0"], peer[0]["score_0"]
print(json.dumps({
    "name": "race-typical-edge", "rounds": len(peer), "windows": windows, "seed": seed, "cores": 1,
    "windows_per_s": round(statistics.median(map(speed, ours)), 1),
    "peer_windows_per_s": round(statistics.median(map(speed, peer)), 1),
    "ratio_min": round(min(pairs), 1), "ratio_median": round(statistics.median(pairs), 1),
    "ratio_max": round(max(pairs), 1),
    "strong_windows_per_s": round(statistics.median(map(speed, strong)), 1),
    "strong_ratio_median": round(statistics.median(speed(ours[2 * i + 1]) / speed(s) for i, s in enumerate(strong)), 1),
    "strong_score_0": strong[0]["score_0"],
    "p50_us": ours[0].get("p50_us"), "peer_p50_us": peer[0].get("p50_us"),
    "score_0": a, "peer_score_0": b, "score_0_relative_difference": float(f"{abs(a - b) / abs(b):.3g}")}))
EOF
