#!/bin/bash
# A sweep as shards under GNU parallel, on this machine or on those of an sshlogin file that see the
# same directories:
#   sweep.sh EXPERIMENT.toml OUT [SHARDS] [options of parallel ...]
# Run it again after an interruption: shards that are complete end at once.
set -eu
[ $# -ge 2 ] || { echo "usage: sweep.sh EXPERIMENT.toml OUT [SHARDS] [options of parallel]" >&2; exit 2; }
experiment="$1" out="$2" shards="${3:-8}"
shift "$(($# < 3 ? $# : 3))"
pimento="${PIMENTO:-pimento}"
mkdir -p "$out"
seq "$shards" | parallel --halt soon,fail=1 --joblog "$out/jobs.txt" "$@" \
  "$pimento" sweep "$experiment" --shard "{}/$shards" --resume --quiet \
  --out "$out/shard-{}" --models "$out/models" --log "$out/shard-{}.log" '>' "$out/shard-{}.txt"
"$pimento" merge "$out"/shard-*/ --out "$out/all" --force
