#!/usr/bin/env bash
# Slurm: an array of workers with one GPU each, on a folder that all nodes mount or on S3. Start the experiment first, so that there is
# something to do:
#     export VARIEGATE_QUEUE=redis://HOST:6379 VARIEGATE_REDIS_PASSWORD=… VARIEGATE_STORE=/shared/experiments
#     sbatch --array=0-15 deploy/slurm.sh
#SBATCH --job-name=variegate
#SBATCH --cpus-per-task=4
#SBATCH --mem=32G
#SBATCH --gres=gpu:1
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@60
#SBATCH --output=variegate-%A_%a.log
set -euo pipefail
: "${VARIEGATE_QUEUE:?set VARIEGATE_QUEUE}" "${VARIEGATE_STORE:?set VARIEGATE_STORE}"
# A minute before the time is up, Slurm sends TERM to the step, and the worker gives its cell back.
srun variegate worker --device "${VARIEGATE_DEVICE:-cuda}" --threads "${SLURM_CPUS_PER_TASK:-4}" --until-done
