#!/bin/sh
# Runs the stages of the recipe in README.md one after another, from the root of the repository:
#     sh packages/pair-flow/train.sh made python
# A stage that was interrupted goes on from its checkpoint, and one that is finished is left out, so that the same command continues. Stages that
# were finished, or in part, for this repository are taken from packages/pair-flow/stages.
set -eu
made=${1:-made}
python=${2:-python}

stage() {
  name=$1
  shift
  nice -n 19 "$python" -m pair "$name" --out "$made" --threads 1 "$@"
}

mkdir -p "$made"
[ -d "$made/base" ] || cp -r embedded/base "$made/"
[ ! -d packages/pair-flow/stages ] || [ -d "$made/flow" ] || cp -r packages/pair-flow/stages/. "$made"
[ -d "$made/data" ] || stage data
stage flow-base --steps 12000 --resume
stage flow-lora --steps 1900 --resume
