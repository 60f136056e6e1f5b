"""Knows the shipped form of the flow pair: a folder as ZImagePipeline writes it, half precision, safetensors."""
import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler
from safetensors.torch import load_file, save_file

from ..pack import clean
from . import levels, network
from .text import Text

INDEX = {
    "_class_name": "ZImagePipeline", "_diffusers_version": "0.42.1", "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "Qwen3Model"], "tokenizer": ["transformers", "Qwen2Tokenizer"],
    "transformer": ["diffusers", "ZImageTransformer2DModel"], "vae": ["diffusers", "AutoencoderKL"],
}


def run(run) -> None:
    """Stage `flow-pack`: from OUT/flow and OUT/base/vae to `--option to=DIR`."""
    source, target = run.out / "flow", Path(run.options["to"])
    base = target / "base"
    network.load(source).half().save_pretrained(base / "transformer")
    Text.load(source).encoder.half().save_pretrained(base / "text_encoder")
    vae = AutoencoderKL.from_pretrained(run.out / "base" / "vae")
    vae.register_to_config(shift_factor=0.0)  # ZImagePipeline adds it
    vae.half().save_pretrained(base / "vae")
    FlowMatchEulerDiscreteScheduler(shift=levels.SHIFT).save_pretrained(base / "scheduler")
    shutil.copytree(source / "tokenizer", base / "tokenizer", dirs_exist_ok=True)
    (base / "model_index.json").write_text(json.dumps(INDEX, indent=2) + "\n")
    adapter = source / "adapters" / "distilled.safetensors"
    if adapter.exists():
        (target / "adapters").mkdir(exist_ok=True)
        save_file({k: v.half() for k, v in load_file(adapter).items()}, target / "adapters" / adapter.name)
    if (run.out / "measured.json").exists():
        shutil.copy(run.out / "measured.json", target)
    for file in target.rglob("*"):
        if file.is_file():
            file.chmod(0o644)
        if file.suffix == ".json":
            clean(file)
    total = sum(f.stat().st_size for f in target.rglob("*") if f.is_file())
    print(f"{total / 1e6:.1f} MB in {target.name}", flush=True)
