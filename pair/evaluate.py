"""Knows the protocol behind the numbers of the model card: 16 prompts × 64 seeds, the same noises for every mode."""
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import CLIPTokenizer

from . import autoencoder, clip, conditioning, data, judge, measures, network, sampling
from .conditioning import Text

SEEDS = 64
PROMPTS = json.loads(Path(__file__).with_name("prompts.json").read_text())
"""The second eight name combinations that no training caption says."""
SHEET = [0, 1, 2, 4]  # prompts on the contact sheet
STEPS, GUIDANCE = 25, 5.0


def modes(out) -> dict:
    """Mode → a function (noise [N, 4, 16, 16], text, generator) → latents. Only those whose models are in OUT."""
    base = network.load(out / "base")
    table = {
        f"base, {STEPS} steps": lambda x, text, g: sampling.ddim(base, x, text, GUIDANCE, STEPS)[0],
        "base, 4 steps": lambda x, text, g: sampling.four_steps([sampling.acting(base)] * 4, x, text, g)[0],
    }
    for name in ("start", "distilled"):
        if not (out / name / "unet").exists():
            continue
        student = network.load(out / name)
        plans = {name: 0} if name == "start" else {name: 0, "hybrid, k = 1": 1, "hybrid, k = 2": 2}
        for mode, switch in plans.items():
            actors = [sampling.acting(base)] * switch + [sampling.acting(student)] * (4 - switch)
            table[mode] = lambda x, text, g, actors=actors: sampling.four_steps(actors, x, text, g)[0]
    return table


def run(run) -> None:
    """Stage `evaluate`: writes OUT/evaluation.json and OUT/sheet.png. `--option seeds=64`, `--option prompts=16`;
    `--option modes=base,hybrid` measures only the modes whose names begin so; with --resume, modes measured before are kept."""
    seeds, count = int(run.options.get("seeds", SEEDS)), int(run.options.get("prompts", len(PROMPTS)))
    text, vae, eye, clip_model = Text.load(run.out / "base"), conditioning.autoencoder(run.out / "base"), judge.load(run.out), clip.load(run.out)
    tokenizer, file = CLIPTokenizer.from_pretrained(run.out / "clip"), run.out / "evaluation.json"
    report = json.loads(file.read_text()) if run.resume and file.exists() else {
        "seeds": seeds, "prompts": PROMPTS[:count], "instruments": _instruments(run.out, eye, clip_model, tokenizer, vae), "modes": {},
    }
    for mode, sample in modes(run.out).items():
        if mode in report["modes"] or not mode.startswith(tuple(run.options.get("modes", "").split(","))):
            continue
        rows, strip = [], []
        for i, prompt in enumerate(PROMPTS[:count]):
            x = torch.randn(seeds, *network.LATENT, generator=torch.Generator().manual_seed(1000 + i))
            encoded = tuple(part.expand(seeds, *part.shape[1:]) for part in text.encode([prompt]))
            images = conditioning.decode(vae, sample(x, encoded, torch.Generator().manual_seed(i)))
            rows.append(measures.of_prompt(prompt, images, eye, clip_model, clip.token_ids(tokenizer, [prompt])))
            if i in SHEET:
                strip.append(np.concatenate(data.to_uint8(images[:12]), 1))
        reference = next(iter(report["modes"].values()))["by_prompt"] if report["modes"] else rows
        report["modes"][mode] = measures.summary(rows, reference) | {"by_prompt": rows}
        print(mode, {k: f"{v['mean']:.4f} ({v['ratio']:.3f})" for k, v in report["modes"][mode].items() if k != "by_prompt"}, flush=True)
        file.write_text(json.dumps(report, indent=1) + "\n")
        _keep_strip(run.out, mode, np.concatenate(strip, 0))
    _save_sheet(run.out, list(report["modes"]))


def _instruments(out, eye, clip_model, tokenizer, vae) -> dict:
    """What the instruments themselves reach on held-out images."""
    held_out = data.load(out, data.HELD_OUT)
    return {"judge": judge.accuracy(eye, held_out), "clip": clip.zero_shot(clip_model, tokenizer, held_out), "autoencoder": autoencoder.psnr(vae, held_out)}


def _keep_strip(out, mode: str, strip: np.ndarray) -> None:
    (out / "strips").mkdir(exist_ok=True)
    Image.fromarray(strip).save(out / "strips" / f"{mode}.png")


def _save_sheet(out, names: list[str]) -> None:
    """Modes from the top, a dark line below each; twice the size."""
    strips = [np.asarray(Image.open(out / "strips" / f"{name}.png")) for name in names]
    line = np.zeros((4, strips[0].shape[1], 3), np.uint8)
    picture = Image.fromarray(np.concatenate([part for strip in strips for part in (strip, line)], 0))
    picture.resize((picture.width * 2, picture.height * 2), Image.NEAREST).save(out / "sheet.png")
