#!/bin/sh
# Runs the stages of the recipe in README.md one after another, from the root of the repository:
#     sh packages/pair-emoji/train.sh made python
# A stage that was interrupted goes on from its checkpoint, and one that is finished is left out, so that the same command continues.
set -eu
made=${1:-made}
python=${2:-python}

stage() {
  name=$1
  shift
  nice -n 19 "$python" -m pair "$name" --out "$made" --threads 1 --resume "$@"
}

[ -f "$made/data/setting.json" ] || node packages/pair-emoji/data/render.js --out "$made"
[ -f "$made/base/tokenizer/vocab.json" ] || stage tokenizer
stage autoencoder --steps 10000
stage judge --steps 8000 # 4,000, and 4,000 more: README.md
stage autoencoder --steps 2500 --option part=decoder --lr 1e-3
stage clip --steps 16000
stage base --steps 30000
stage named --option factor=house # the bound of the base: README.md
stage lora --steps 1900
for name in skin-tone gender; do
  for on in base distilled; do
    [ -f "$made/sliders/$name.$on.safetensors" ] || stage slider --minutes 3 --option name=$name --option on=$on
  done
done
