#!/bin/bash
# Builds a dataset as a Slurm job array, one part a task; the last part to end finishes it:
#
#   PARTS=16 bash slurm_array.sh --coco /shared/coco --out /shared/pose [OPTION...]
#
# All nodes have to see both paths and have the same posegen; file locks are not needed. A task that is preempted, runs
# out of time or loses its node is queued again and goes on where it stopped. When all have ended a second job checks
# the dataset. It fails if a part is missing, and its log names the commands that build what is; the same call again
# does it, too. What to ask of Slurm besides, such as a partition, can be put into SBATCH_PARTITION and the like.
#SBATCH --job-name=posegen
#SBATCH --cpus-per-task=4
#SBATCH --mem-per-cpu=1G
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@60
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=posegen-%j.log
set -euo pipefail

queue_again() {
    kill -TERM "$build" 2>/dev/null || true
    wait "$build" || true
    scontrol requeue "$SLURM_JOB_ID"
    exit 0
}

case ${STEP:-submit} in
submit)
    PARTS=${PARTS:-16}
    array=$(sbatch --parsable --array="1-$PARTS" --output=posegen-%A_%a.log --export=ALL,STEP=part,PARTS="$PARTS" "$0" "$@")
    finish=$(sbatch --parsable --dependency="afterany:${array%%;*}" --cpus-per-task=1 --export=ALL,STEP=finish "$0" "$@")
    echo "parts: job $array, finishing: job $finish"
    ;;
part)
    trap queue_again USR1
    posegen build "$@" --workers "${SLURM_CPUS_PER_TASK:-1}" --part "$SLURM_ARRAY_TASK_ID/$PARTS" &
    build=$!
    wait "$build"
    ;;
finish)
    exec posegen build "$@" --finish
    ;;
esac
