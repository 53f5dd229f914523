#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Formatting, then clang-tidy, over every source of ours. usage: tools/lint.sh BUILD_FOLDER [FILE...]
# A file whose own text, headers' text and compile command were clean before is not read again (stamps in BUILD/lint).
set -eu
build=$1
shift
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- $(git ls-files '*.cc' '*.h')
echo "lint: formatting of $# files"
clang-format-19 --dry-run --Werror "$@"

mkdir -p "$build/lint"
context=$( (cat .clang-tidy "$build/CMakeCache.txt" | grep -v '^#'; git ls-files '*.h' | xargs cat) | sha256sum | cut -c1-16)
todo=""
for file in "$@"; do
  case "$file" in *.cc) ;; *) continue ;; esac
  grep -q "/$file\"" "$build/compile_commands.json" || continue
  stamp="$build/lint/$( (echo "$context"; cat "$file") | sha256sum | cut -c1-32)"
  [ -e "$stamp" ] || todo="$todo $file:$stamp"
done
count=$(echo $todo | wc -w)
echo "lint: clang-tidy on $count changed files"
[ "$count" = 0 ] && { echo "lint: clean"; exit 0; }
one='f=${1%%:*}; s=${1#*:}; if clang-tidy-19 --quiet -p "$0" --extra-arg=-Wno-unknown-warning-option "$f" 2>"$s.err"; then touch "$s"; else grep -v "warnings generated" "$s.err" >&2; exit 255; fi'
echo $todo | xargs -n 1 -P "$(nproc)" sh -c "$one" "$build"
rm -f "$build"/lint/*.err
echo "lint: clean"
