"""Knows how the model card is held against diffusers: the same prompts and seeds, painted by its pipelines and read by the
instruments as PyTorch runs them, beside what Variegate measured."""
import json
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from parity import runs
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPTokenizer

from . import autoencoder, clip, conditioning, data, judge, measures, word, world
from .evaluate import GUIDANCE, STEPS
from .noise import GRID

BATCH = 32
SHARED = {"guidance": 0, "baseGuidance": 0, "timesteps": GRID, "scheduler": "LCMScheduler"}
DDIM = {"baseScheduler": "DDIMScheduler", "baseSpacing": "trailing"}
HANDOFF = {**DDIM, "baseSteps": 4, "baseClipSample": False}
"""A DDIM step on the distilled schedule. Diffusers' DDIMScheduler clips x0 unless told otherwise, and the light backgrounds of emoji lie outside."""
CONSISTENT = {"guidance": 5, "baseGuidance": 0, "steps": 4, "scheduler": "LCMScheduler"}
TAUGHT = "../packages/pair-taught/distilled"  # from the shipped folder


def _modes_of(student: str) -> dict:
    """Mode → (the second UNet, what is asked). student: a folder or a LoRA of the shipped pair."""
    return {
        "base, 25 steps": (student, {"mode": "base", "steps": STEPS, "guidance": GUIDANCE}),
        "base, 50 steps": (student, {"mode": "base", "steps": 2 * STEPS, "guidance": GUIDANCE}),
        "distilled": (student, {"mode": "distilled", **SHARED}),
        "hybrid, k = 1": (student, {"mode": "hybrid", "switch": 1, **SHARED}),
        "hybrid, k = 2": (student, {"mode": "hybrid", "switch": 2, **SHARED}),
        "hybrid, k = 1, guided": (student, {"mode": "hybrid", "switch": 1, **SHARED, "baseGuidance": GUIDANCE}),
        "hybrid, k = 1, DDIM": (student, {"mode": "hybrid", "switch": 1, **SHARED, **HANDOFF}),
        "hybrid, 2 of 8 steps": (student, {"mode": "hybrid", "switch": 1, **SHARED, **DDIM, "baseSteps": 8}),
    }


LORA = "adapters/distilled.safetensors"
MODES = {
    "emoji": _modes_of(LORA),
    "embedded": _modes_of("distilled") | {
        "distilled, LoRA": (LORA, {"mode": "distilled", **SHARED}),
        "hybrid, LoRA, k = 1": (LORA, {"mode": "hybrid", "switch": 1, **SHARED}),
        "hybrid, LoRA, k = 1, DDIM": (LORA, {"mode": "hybrid", "switch": 1, **SHARED, **HANDOFF}),
        "distilled, LCM": ("consistent", {"mode": "distilled", **CONSISTENT}),
        "hybrid, LCM, k = 1": ("consistent", {"mode": "hybrid", "switch": 1, **CONSISTENT}),
        "distilled, taught": (TAUGHT, {"mode": "distilled", **SHARED}),
        "hybrid, taught, k = 1": (TAUGHT, {"mode": "hybrid", "switch": 1, **SHARED}),
        "hybrid, taught, k = 1, DDIM": (TAUGHT, {"mode": "hybrid", "switch": 1, **SHARED, **HANDOFF}),
    },
}
ALONE = {"base": {"mode": "distilled", "steps": STEPS, "guidance": GUIDANCE}, "distilled": {"mode": "distilled", **SHARED}}
"""One UNet for all rows, whichever it is."""
COLUMNS = {  # the card's column → its name in measures, and how far the two may lie apart
    "judge distance": ("judge_distance", .003), "CLIP distance": ("clip_distance", .006),
    "entropy of free factors": ("free_nats", .03), "named factors right": ("named_right", .006), "CLIP score": ("clip_score", .006),
    "sharpness": ("sharpness", .001),
}


def pipeline(shipped: Path):
    return runs.quiet(StableDiffusionXLPipeline.from_pretrained(shipped / "base", torch_dtype=torch.float32))


def student(shipped: Path, name: str) -> UNet2DConditionModel:
    """The second UNet: a folder's own, or the base's with a LoRA merged into it."""
    if not name.endswith(".safetensors"):
        return told(shipped, UNet2DConditionModel.from_pretrained(shipped / name / "unet", torch_dtype=torch.float32))
    pipe = pipeline(shipped)
    merge(pipe, shipped / name)
    return pipe.unet


def merge(pipe, file: Path, scale: float = 1.0) -> None:
    """Writes a LoRA into the pipeline's weights."""
    pipe.load_lora_weights(file.parent, weight_name=file.name)
    pipe.fuse_lora(lora_scale=scale)
    pipe.unload_lora_weights()


def told(shipped: Path, unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """The UNet, which hears the guidance when it takes guidance as an input: a pipeline that began with the base does not say it."""
    width, forward = unet.config.time_cond_proj_dim, unet.forward
    if width:
        embedding = pipeline(shipped).get_guidance_scale_embedding(torch.tensor([CONSISTENT["guidance"] - 1.0]), embedding_dim=width)
        unet.forward = lambda x, *rest, timestep_cond=None, **kept: forward(x, *rest, timestep_cond=embedding.expand(len(x), -1), **kept)
    return unet


def painted(shipped: Path, other, request: dict, prompt: str, seeds: list[int], pipe=None) -> torch.Tensor:
    """One prompt's pictures, [N, 3, 64, 64] in −1…1, as bytes would show them; by the shipped pipeline unless another is given."""
    parts = []
    for i in range(0, len(seeds), BATCH):
        asked = request | {"prompts": [prompt], "seeds": seeds[i:i + BATCH], "size": {"width": world.SIZE, "height": world.SIZE}}
        _, images = runs.run(pipe or pipeline(shipped), other, None, asked)
        parts.append((images * 255).round().astype(np.uint8))
    return data.pixels(np.concatenate(parts))


def run(run) -> None:
    """Stage `verify`: OUT is the shipped folder (`--out embedded`); `--option card=card.json` is what `npm run card -- --json card.json`
    wrote, of that pair. Ends with 1 when the two differ by more than rounding explains. `--option modes=distilled` takes those whose names begin so."""
    runs.hush()
    if not Path(run.options.get("card", "")).is_file():
        raise SystemExit("verify: give --option card=FILE, what `npm run card -- --json FILE` has written")
    card = json.loads(Path(run.options["card"]).read_text())
    tables = {table["head"][0]: table for table in card["tables"]}
    apart = [line for part in (_modes, _instruments, _sliders, _adapters) for line in part(run, card, tables)]
    print("\n".join(apart) if apart else "diffusers and Variegate agree", flush=True)
    raise SystemExit(1 if apart else 0)


def _modes(run, card: dict, tables: dict) -> list[str]:
    eye, clip_model = judge.load(run.out), clip.load(run.out)
    tokenizer, table = CLIPTokenizer.from_pretrained(run.out / "clip"), tables.get("mode")
    measured, apart = {row[0]: dict(zip(table["head"], row)) for row in table["rows"]} if table else {}, []
    shares = {row[0]: row[1:] for row in tables["of the world's entropy"]["rows"]} if table else {}
    shown = run.out / "world" / "shown.json"
    worlds = {p: {k: of[k]["nats"] for k in eye.factors} for p, of in json.loads(shown.read_text()).items()} if shown.exists() else {}
    for mode, (name, request) in MODES[card["pair"]].items():
        if mode not in measured or not mode.startswith(tuple(run.options.get("modes", "").split(","))):
            continue
        other, rows = student(run.out, name), []
        for prompt in card["prompts"]:
            images = painted(run.out, other, request, prompt, card["seeds"])
            rows.append(measures.of_prompt(prompt, images, eye, clip_model, clip.token_ids(tokenizer, [prompt]), worlds.get(prompt)))
        found = measures.summary(rows)
        for column, (key, tolerance) in COLUMNS.items():
            apart += _beside(f"{mode}, {column}", found[key]["mean"], measured[mode][column], tolerance)
        for factor, share in zip(eye.factors, shares[mode], strict=True):
            known = [r for r in rows if r[f"worlds_{factor}"] == r[f"worlds_{factor}"]]
            if known:
                total = sum(r[f"free_{factor}"] * r[f"worlds_{factor}"] for r in known)
                apart += _beside(f"{mode}, {factor} of the world's", total / sum(r[f"worlds_{factor}"] for r in known), share, .02)
    return apart


def _sliders(run, card: dict, tables: dict) -> list[str]:
    """Each slider at each scale, merged by diffusers; the base's own steps under the name of the second UNet."""
    eye, table, apart = judge.load(run.out), tables.get("slider"), []
    for row in table["rows"] if table else []:
        name, on = row[0].split(", ")
        for scale, there in zip(table["head"][1:6], row[1:6]):
            pipe = pipeline(run.out)
            pipe.unet = pipe.unet if on == "base" else student(run.out, "distilled")
            merge(pipe, run.out / "sliders" / f"{name}.{on}.safetensors", float(scale.replace("−", "-")))
            images = painted(run.out, pipe.unet, ALONE[on], "a cartoon character", card["seeds"])
            apart += _beside(f"{row[0]} at {scale}", float(eye(images)[name.replace("-", "_")].mean()), there, .01)
    return apart


def _adapters(run, card: dict, tables: dict) -> list[str]:
    eye, table, apart = judge.load(run.out), tables.get("adapter"), []
    for row in table["rows"] if table else []:
        shown = dict(zip(table["head"][1:], row[1:]))
        for on in ("base", "distilled"):
            for column, merged in ((f"{on} without", False), (on, True)):
                images = _with(run.out, row[0] if merged else None, on, card["seeds"])
                read = eye(images)
                wanted = {"background": ["navy", "teal"]} if row[0] == "blueprint" else {k: [word.CHARACTER[k]] for k in world.FACTORS if k in word.CHARACTER}
                right = [torch.isin(read[k].argmax(1), torch.tensor([world.FACTORS[k].index(v) for v in values])).float().mean() for k, values in wanted.items()]
                apart += _beside(f"{row[0]}, {column}", float(sum(right) / len(right)), shown[column], .02)
    return apart


def _with(shipped: Path, adapter: str | None, on: str, seeds: list[int]) -> torch.Tensor:
    """Pictures of "a cartoon character" with the style, of the word, or with neither."""
    pipe = pipeline(shipped)
    pipe.unet = pipe.unet if on == "base" else student(shipped, "distilled")
    if adapter == "blueprint":
        merge(pipe, shipped / "adapters" / "blueprint.safetensors")
    if adapter == word.WORD:
        vectors = load_file(shipped / "adapters" / "pip.safetensors")
        pipe.load_textual_inversion(vectors["clip_l"], token=word.WORD, text_encoder=pipe.text_encoder, tokenizer=pipe.tokenizer)
        pipe.load_textual_inversion(vectors["clip_g"], token=word.WORD, text_encoder=pipe.text_encoder_2, tokenizer=pipe.tokenizer_2)
    prompt = f"a {word.WORD} cartoon character" if adapter == word.WORD else "a cartoon character"
    return painted(shipped, pipe.unet, ALONE[on], prompt, seeds, pipe)


def _instruments(run, card: dict, tables: dict) -> list[str]:
    table = tables.get("read right")
    if not table:
        return []
    shown = {row[0]: dict(zip(table["head"], row)) for row in table["rows"]}
    eye, vae, clip_model = judge.load(run.out), conditioning.autoencoder(run.out / "base"), clip.load(run.out)
    held_out, prompts = shipped_pictures(run.out, eye.factors), json.loads((run.out / "world" / "world.json").read_text())["prompts"]
    tokenizer = CLIPTokenizer.from_pretrained(run.out / "clip")
    found = {
        "judge": judge.accuracy(eye, held_out), "judge, on reconstructions": autoencoder.read_right(vae, eye, held_out),
        "CLIP, zero-shot": clip.zero_shot(clip_model, tokenizer, held_out, prompts),
    }
    pairs = [(f"{row}, {k}", v, shown[row][k], .005) for row, values in found.items() for k, v in values.items() if k in eye.factors]
    pairs.append(("autoencoder, dB", autoencoder.psnr(vae, held_out), shown["judge, on reconstructions"]["dB"], .05))
    return [line for pair in pairs for line in _beside(*pair)]


def shipped_pictures(shipped: Path, factors_of_judge: dict) -> data.Pictures:
    """The pictures that no training saw and that lie beside the weights; their captions do not matter here."""
    factors = json.loads((shipped / "world" / "held-out.json").read_text())
    sheet = np.asarray(Image.open(shipped / "world" / "held-out.webp").convert("RGB"))
    rows, columns = sheet.shape[0] // world.SIZE, sheet.shape[1] // world.SIZE
    images = sheet.reshape(rows, world.SIZE, columns, world.SIZE, 3).transpose(0, 2, 1, 3, 4).reshape(-1, world.SIZE, world.SIZE, 3)
    return data.Pictures(np.ascontiguousarray(images), [[""]] * len(factors), factors, factors_of_judge)


def _beside(what: str, here: float, there: str, tolerance: float) -> list[str]:
    """Prints both numbers; says so when they are further apart than `tolerance`."""
    other = float(str(there).split(" ")[0])
    line = f"{what}: diffusers {here:.4f}, Variegate {other:.3f}"
    print(line, flush=True)
    return [f"apart: {line}"] if abs(here - other) > tolerance + 5e-4 else []
