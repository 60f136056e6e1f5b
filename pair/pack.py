"""Knows the shipped form of the pair: diffusers folders, half precision, safetensors, nothing of the machine that made it."""
import json
import math
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionXLPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

from . import clip, conditioning, data, network, noise, setting, world

SCHEDULER = {
    "trained_betas": [float(f"{b:.9g}") for b in noise.BETAS.tolist()], "steps_offset": 1, "timestep_spacing": "trailing",
    "prediction_type": "epsilon", "num_train_timesteps": 1000, "use_karras_sigmas": True,  # of 25 steps ten are at the noisy end, where variety is decided
}
STUDENTS = ["distilled", "consistent"]
PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": 64}, "resample": 3, "do_center_crop": True,
    "crop_size": {"height": 64, "width": 64}, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
    "image_mean": [.5] * 3, "image_std": [.5] * 3,
}
PLAIN = ["judge", "sliders", "adapters"]
HELD_OUT, COLUMNS = 512, 32  # pictures that ship, so that anyone can measure the instruments; how many lie side by side


def run(run) -> None:
    """Stage `pack`: from OUT to `--option to=DIR`; what is not in OUT yet is left out."""
    target = Path(run.options["to"])
    _base(run.out, target)
    for name in STUDENTS:
        if (run.out / name / "unet").exists():
            network.load(run.out / name).half().save_pretrained(target / name / "unet")
    _clip(run.out, target / "clip")
    for name in PLAIN:
        if (run.out / name).exists():
            _halved(run.out / name, target / name)
    _world(run.out, target / "world")
    if (run.out / "measured.json").exists():
        shutil.copy(run.out / "measured.json", target)
    for file in target.rglob("*.json"):
        clean(file)
    total = sum(f.stat().st_size for f in target.rglob("*") if f.is_file())
    print(f"{total / 1e6:.1f} MB in {target.name}", flush=True)


def _base(out: Path, target: Path) -> None:
    text = conditioning.Text.load(out / "base")
    pipeline = StableDiffusionXLPipeline(
        vae=conditioning.autoencoder(out / "base"), unet=network.load(out / "base"), scheduler=DPMSolverMultistepScheduler(**SCHEDULER),
        text_encoder=text.encoders[0], text_encoder_2=text.encoders[1], tokenizer=text.tokenizers[0], tokenizer_2=text.tokenizers[1],
        force_zeros_for_empty_prompt=True, add_watermarker=False,
    )
    pipeline.to(torch.float16).save_pretrained(target / "base")
    first = target / "base" / "text_encoder" / "model.safetensors"
    tensors = load_file(first)  # transformers 5 leaves out the prefix that the files of the Hub have
    save_file({_prefixed(k): v for k, v in tensors.items()}, first, metadata={"format": "pt"})
    for name in ("tokenizer", "tokenizer_2"):  # transformers 5 no longer writes these two, which other readers need
        for file in ("vocab.json", "merges.txt"):
            shutil.copy(out / "base" / name / file, target / "base" / name / file)


def _prefixed(key: str) -> str:
    return key if key.startswith("text_model.") else f"text_model.{key}"


def _clip(out: Path, target: Path) -> None:
    clip.load(out).half().save_pretrained(target)
    for file in (out / "base" / "tokenizer").iterdir():
        shutil.copy(file, target / file.name)
    (target / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=1) + "\n")


def _world(out: Path, target: Path) -> None:
    """What is true of the data, for whoever measures without it: priors, a prompt for each value, pictures that no training saw."""
    target.mkdir(parents=True, exist_ok=True)
    chosen = setting.of(out)
    priors = {k: world.PRIORS.get(k, [1 / len(v)] * len(v)) for k, v in world.FACTORS.items()} if chosen.drawn else _shares(out, chosen)
    prompts = chosen.prompts or {k: {str(v): clip.value_prompt(k, v) for v in values} for k, values in chosen.factors.items()}
    (target / "world.json").write_text(json.dumps({"priors": priors, "prompts": prompts}, indent=1) + "\n")
    images, true = _some_unseen(out)
    rows = len(images) // COLUMNS
    sheet = images.reshape(rows, COLUMNS, world.SIZE, world.SIZE, 3).transpose(0, 2, 1, 3, 4)
    Image.fromarray(sheet.reshape(rows * world.SIZE, COLUMNS * world.SIZE, 3)).save(target / "held-out.webp", lossless=True, quality=100, method=6)
    shown = [{k: f[k] for k in chosen.factors} | {k: round(f[k], 4) for k in chosen.measures} for f in true]
    (target / "held-out.json").write_text(json.dumps(shown, separators=(",", ":")) + "\n")


def _some_unseen(out: Path) -> tuple[np.ndarray, list[dict]]:
    """HELD_OUT pictures that no training saw, as many of each set, and their factors. Characters are in random order; other pictures
    are not, and are taken from all over their set."""
    images, factors, sets = [], [], data.unseen(out)
    for pictures in sets.values():
        count = HELD_OUT // len(sets)
        which = range(count) if setting.of(out).drawn else [i * len(pictures) // count for i in range(count)]
        images.append(pictures.images[list(which)])
        factors += [pictures.factors[i] for i in which]
    return np.concatenate(images), factors


def _shares(out: Path, chosen: setting.Setting) -> dict[str, list[float]]:
    """How often each value occurs in the training set."""
    factors = data.load(out, data.TRAINING).factors
    counts = {k: Counter(f[k] for f in factors) for k in chosen.factors}
    return {k: [round(counts[k][v] / len(factors), 5) for v in values] for k, values in chosen.factors.items()}


def _halved(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        if file.suffix == ".safetensors":
            save_file({k: v.half().contiguous() for k, v in load_file(file).items()}, target / file.name)
        else:
            shutil.copy(file, target / file.name)


def clean(file: Path) -> None:
    """Drops what says where and how the file was loaded, and a bound of −∞, which is the default and which JSON cannot say."""
    config = json.loads(file.read_text())
    unwanted = lambda key, value: key in {"_name_or_path", "is_local", "local_files_only"} or value == -math.inf
    if isinstance(config, dict) and any(unwanted(*item) for item in config.items()):
        file.write_text(json.dumps({k: v for k, v in config.items() if not unwanted(k, v)}, indent=2) + "\n")
