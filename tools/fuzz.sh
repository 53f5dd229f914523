#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs fuzz targets, each from its committed corpus and from what earlier runs in this build folder found.
#   tools/fuzz.sh BUILD SECONDS [TARGET...]   one line for each target; exit 1 on a finding; JOBS=2 run at a time
#   tools/fuzz.sh --keep BUILD [TARGET...]    puts inputs that reach what was reached into the committed corpus,
#                                             at most 200 files and 300 kB for each target
# Logs, findings and grown corpora are in BUILD/fuzz/TARGET.
set -eu
stop() { printf 'fuzz: %s\n' "$*" >&2; exit 2; }
keep=""
if [ "${1:-}" = --keep ]; then keep=1; shift; fi
[ $# -ge 1 ] || stop "usage: tools/fuzz.sh BUILD SECONDS [TARGET...] | tools/fuzz.sh --keep BUILD [TARGET...]"
build=$1
shift
list="$build/fuzzers.txt"
[ -s "$list" ] || stop "$list is missing; configure and build with: cmake --preset fuzz && cmake --build --preset fuzz"
if [ -z "$keep" ]; then
  seconds=${1:-}
  case "$seconds" in ''|*[!0-9]*) stop "SECONDS must be a whole number, not '$seconds'" ;; esac
  shift
fi
[ $# -gt 0 ] || set -- $(cut -d' ' -f1 "$list")
for target in "$@"; do grep -q "^$target " "$list" || stop "no target $target; there are: $(cut -d' ' -f1 "$list" | tr '\n' ' ')"; done
corpus_of() { sed -n "s/^$1 //p" "$list"; }

run_one() { # TARGET: prints its line, 1 on a finding
  work="$build/fuzz/$1"
  mkdir -p "$work/corpus" "$work/findings"
  rm -f "$work/findings"/*
  status=0
  "$build/bin/$1" -max_total_time="$seconds" -timeout=30 -rss_limit_mb=3000 -print_final_stats=1 \
    -artifact_prefix="$work/findings/" "$work/corpus" "$(corpus_of "$1")" >"$work/log" 2>&1 || status=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log" | tail -n 1)
  coverage=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$work/log" | tail -n 1)
  # A finding ends the target. Inputs that it leaves behind while it goes on are slow ones, or come from a child
  # process that a target starts to be broken by them.
  findings=0
  if [ "$status" != 0 ]; then
    findings=$(find "$work/findings" -type f ! -name 'slow-unit-*' | wc -l)
    [ "$findings" -gt 0 ] || findings=1
  fi
  echo "fuzz: $1: $seconds s, ${runs:-0} runs, coverage ${coverage:-0}, $findings findings"
  [ "$findings" = 0 ] && [ "${runs:-0}" -gt 0 ] && return 0
  echo "fuzz: $1: see $work/log and $work/findings" >&2
  return 1
}

keep_one() { # TARGET
  work="$build/fuzz/$1"
  corpus=$(corpus_of "$1")
  [ -d "$work/corpus" ] || { echo "fuzz: $1: was not run"; return 0; }
  rm -rf "$work/merged" && mkdir -p "$work/merged"
  "$build/bin/$1" -merge=1 -timeout=30 "$work/merged" "$corpus" "$work/corpus" >"$work/merge.log" 2>&1
  files=$(find "$corpus" -type f | wc -l)
  bytes=$(cat "$corpus"/* | wc -c)
  # Evenly over all sizes: the smallest alone would all be of the same few kinds.
  find "$work/merged" -type f -printf '%s %p\n' | sort -n >"$work/merged.txt"
  awk -v room=$((200 - files)) -v all="$(wc -l <"$work/merged.txt")" \
    'all <= room || int(NR * room / all) != int((NR - 1) * room / all)' "$work/merged.txt" | while read -r size path; do
    [ $((files += 1)) -le 200 ] && [ $((bytes += size)) -le 300000 ] || break
    cmp -s "$path" "$corpus/$(basename "$path")" || cp "$path" "$corpus/"
  done
  echo "fuzz: $1: $(find "$corpus" -type f | wc -l) files, $(cat "$corpus"/* | wc -c) bytes in $corpus"
}

if [ -n "$keep" ]; then
  for target in "$@"; do keep_one "$target"; done
  exit 0
fi
failed="$build/fuzz/failed"
mkdir -p "$build/fuzz"
rm -f "$failed"
running=0
for target in "$@"; do
  ( run_one "$target" || echo "$target" >>"$failed" ) &
  running=$((running + 1))
  if [ "$running" -ge "${JOBS:-2}" ]; then wait; running=0; fi
done
wait
[ ! -s "$failed" ]
