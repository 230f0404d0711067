#!/bin/bash
# Submits a sweep as a job array and the job that merges its shards:
#   submit.sh EXPERIMENT.toml OUT [SHARDS]
# OUT is a directory that all nodes see. Prints the number of the merging job.
# More options for every task: SBATCH_TIMELIMIT, SBATCH_PARTITION, ... (man sbatch).
set -eu
here="$(cd "$(dirname "$0")" && pwd)"
[ $# -ge 2 ] || { echo "usage: submit.sh EXPERIMENT.toml OUT [SHARDS]" >&2; exit 2; }
EXPERIMENT="$(realpath "$1")"
mkdir -p "$2"
OUT="$(realpath "$2")"
shards="${3:-8}"
PIMENTO="${PIMENTO:-$(command -v pimento)}"
export EXPERIMENT OUT PIMENTO

array="$(sbatch --parsable --array="1-$shards" --output="$OUT/slurm-%a.txt" "$here/array.sbatch")"
sbatch --parsable --dependency="afterok:$array" --output="$OUT/slurm-merge.txt" "$here/merge.sbatch"
