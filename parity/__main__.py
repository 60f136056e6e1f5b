"""Makes the goldens: python -m parity --out test/goldens [--only NAME …] [--check]."""

import argparse
import sys

import torch

from . import (
    adapters, added_tokens, autoencoder_files, blocks, clip_skip, component_cases, distillation, families, flow_adapters, flow_loras, flow_runs, flow_sliders, gemma_tokenizer, gradients, hub, image_gradients, information, intervals, loras, methods, metrics, official_sliders, optimizers, outputs, peft_strength,
    prompt_syntax, prompts, qwen_tokenizer, recognition, runs, scripts, single_files, sliders, steps, streams, t5_tokenizer, textual_inversion, transformer_files, vision, words,
)
from .store import Store

RECORDERS = {
    "random": streams.record,
    "tokenizer": prompts.record,
    "added-tokens": added_tokens.record,
    "schedulers": steps.record,
    "families": families.record,
    "qwen-tokenizer": qwen_tokenizer.record,
    "gemma-tokenizer": gemma_tokenizer.record,
    "gemma-pieces": gemma_tokenizer.record_pieces,
    "t5-tokenizer": t5_tokenizer.record,
    "components": component_cases.record,
    "networks": outputs.record,
    "methods": methods.record,
    "image-gradients": image_gradients.record,
    "gradients": gradients.record,
    "optimizers": optimizers.record,
    "sliders": sliders.record,
    "loras": loras.record,
    "flow-loras": flow_loras.record,
    "flow-sliders": flow_sliders.record,
    "distillation": distillation.record,
    "flow-distillation": distillation.record_flow,
    "trained-words": words.record,
    "official-sliders": official_sliders.record,
    "metrics": metrics.record,
    "information": information.record,
    "intervals": intervals.record,
    "vision": vision.record,
    "pipelines": runs.record,
    "flow-pipelines": flow_runs.record,
    "clip-skip": clip_skip.record,
    "prompt-syntax": prompt_syntax.record,
    "textual-inversion": textual_inversion.record,
    "adapters": adapters.record,
    "flow-adapters": flow_adapters.record,
    "peft-strength": peft_strength.record,
    "scripts": scripts.record,
    "flow-scripts": scripts.record_flow,
    "single": single_files.record,
    "transformer-files": transformer_files.record,
    "autoencoder-files": autoencoder_files.record,
    "gguf": blocks.record,
    "recognition": recognition.record,
    "embedded": runs.record_embedded,
    "emoji": runs.record_emoji,
    "hub": hub.record,
}


def main():
    parser = argparse.ArgumentParser(prog="python -m parity", description=__doc__)
    parser.add_argument("--out", default="test/goldens", help="the folder of goldens")
    parser.add_argument("--only", action="append", choices=RECORDERS, help="only these (repeatable)")
    parser.add_argument("--check", action="store_true", help="compare with what is there, write nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    store = Store(options.out, options.check)
    for name in options.only or RECORDERS:
        print(name, file=sys.stderr, flush=True)
        RECORDERS[name](store)
    for difference in store.differences:
        print(difference)
    return 1 if store.differences else 0


sys.exit(main())
