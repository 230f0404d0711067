#!/bin/bash
# Runs the experiment and notes the resident memory of the process when it begins, and at 10 %, 50 %
# and 100 % of its chips:
#   run.sh PIMENTO OUT [CHIPS [options of pimento sweep ...]]
set -eu
here="$(cd "$(dirname "$0")" && pwd)"
pimento="$1" out="$2" chips="${3:-1000000}"
shift "$(($# < 3 ? $# : 3))"
mkdir -p "$out"
"$pimento" sweep "$here/experiment.toml" --chips "$chips" --backend cpu --quiet \
  --out "$out/run" --log "$out/log.txt" "$@" > "$out/table.txt" &
pid=$!
for share in 1 10 50 95; do
  while kill -0 "$pid" 2> /dev/null; do
    done_chips="$(grep -o '[0-9]* of [0-9]* chips' "$out/log.txt" 2> /dev/null | tail -1 | cut -d' ' -f1)"
    [ "${done_chips:-0}" -ge "$((chips / 100 * share))" ] && break
    sleep 0.2
  done
  echo "$share % of $chips chips: $(awk '/^VmRSS/ { print $2 " " $3 }' "/proc/$pid/status" 2> /dev/null)"
done
peak=""
while kill -0 "$pid" 2> /dev/null; do
  now="$(awk '/^VmHWM/ { print $2 " " $3 }' "/proc/$pid/status" 2> /dev/null || true)"
  peak="${now:-$peak}"
  sleep 0.1
done
wait "$pid"
echo "at the end, report included, at most: $peak"
stat -c '%n %s bytes' "$out/run/journal.bin" "$out/run/chips.csv"
