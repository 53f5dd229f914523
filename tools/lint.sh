#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Formatting of every file, then clang-tidy over every source of the programs. usage: tools/lint.sh BUILD_FOLDER [FILE...]
# LINT_TESTS=1 has clang-tidy read tests, fuzz targets and benchmarks too: half an hour more on two cores.
# A file that was clean is not read again until it, a header of ours that it includes, or the rules change.
set -eu
build=$1
shift
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- $(git ls-files '*.cc' '*.h')
echo "lint: formatting of $# files"
clang-format-19 --dry-run --Werror "$@"

mkdir -p "$build/lint"
todo=$(python3 tools/lint_todo.py "$build" "$@")
echo "lint: clang-tidy on $(echo "$todo" | grep -c . || true) changed files"
one='f=${1%%:*}; s=${1#*:}; if clang-tidy-19 --quiet -p "$0" --extra-arg=-Wno-unknown-warning-option "$f" >"$s.out" 2>"$s.err"; then touch "$s"; rm -f "$s.out" "$s.err"; else cat "$s.out"; grep -v "warnings generated" "$s.err" >&2; exit 1; fi'
# Every file is read, so that one run shows all there is to mend.
[ -z "$todo" ] || echo "$todo" | xargs -n 1 -P "$(nproc)" sh -c "$one" "$build"
echo "lint: clean"
