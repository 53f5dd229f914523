#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The features of reference-64 against NumPy and SciPy in double precision: 1,000 random windows and, where the
# recordings are at hand, 1,000 real ones; each one by one and in batches, one JSON line each, exit 1 where one is off
# by more than 1e-4.
# usage: tools/check_features.sh PYTHON_ROOT [SEED]
# PYTHON_ROOT is / where this machine's python3 has SciPy, else a folder to chroot into that has it. The recordings are
# looked for in $MILLWRIGHT_DATA, else in ../shared/data.
set -eu
[ $# -ge 1 ] || { echo "usage: $0 PYTHON_ROOT [SEED]" >&2; exit 2; }
root=$1
seed=${2:-1}
here=$(cd "$(dirname "$0")/.." && pwd)
data=${MILLWRIGHT_DATA:-$here/../shared/data}/cwru/i16
extract=$here/build/bin/extract_features
[ -x "$extract" ] || { echo "build extract_features first" >&2; exit 2; }
work=$(mktemp -d "${root%/}/tmp/features.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp "$here/tests/reference/features.py" "$work"
inside=/${work#"${root%/}/"}
python() { chroot "$root" sh -c "cd $inside && exec python3 features.py $*"; }

status=0
check() {
  for batch in 0 64; do  # one by one, and side by side
    "$extract" reference-64 1 2000 10000 $batch <"$work/$1.f32" >"$work/$1.found"
    python compare "$1" "$1.found" || status=1
  done
}
python make random 1000 "$seed"
check random
if [ -d "$data" ]; then
  cp "$data"/*.i16 "$work"
  python make real 1000 "$((seed + 1))" '*.i16'
  check real
else
  echo "skipped: no recordings in $data" >&2
fi
exit $status
