"""Knows what is measured on sets of pictures of one prompt: distances, entropy of free factors, adherence; and intervals."""
import math
import re

import numpy as np
import torch
import torch.nn.functional as F

from . import clip, world


def named(prompt: str) -> dict:
    """The factors with a fixed set of values that a prompt names."""
    says = lambda factor, value: re.search(rf"\b{re.escape(world.word(factor, value))}\b", prompt)
    return {k: value for k, values in world.FACTORS.items() for value in values if says(k, value)}


def pairwise(features: torch.Tensor) -> float:
    """Mean cosine distance of all pairs. features [N, D]"""
    unit = F.normalize(features, dim=-1)
    n = len(unit)
    return float((n * n - (unit @ unit.t()).sum()) / (n * (n - 1)))


def entropy(values: torch.Tensor, count: int) -> float:
    """In nats, of values [N] out of `count`."""
    share = torch.bincount(values, minlength=count).float() / len(values)
    return float(-(share * share.clamp(min=1e-9).log()).sum())


def world_entropy(factor: str, samples: int) -> float:
    """In nats, as that many draws from the world show it on average, which is a little less than its own: exactly."""
    priors = world.PRIORS.get(factor, [1 / len(world.FACTORS[factor])] * len(world.FACTORS[factor]))
    seen = [(k, k / samples * math.log(k / samples)) for k in range(1, samples)]
    return -sum(math.comb(samples, k) * p ** k * (1 - p) ** (samples - k) * h for p in priors for k, h in seen)


def of_prompt(prompt: str, images: torch.Tensor, judge, clip_model, text_ids: torch.Tensor) -> dict[str, float]:
    """Everything about the pictures [N, 3, 64, 64] of one prompt."""
    features, seen = judge.features(images), {}
    read, asked = judge.read(features), named(prompt)
    for factor in world.FACTORS:
        seen[factor] = read[factor].argmax(1)
    free = [k for k in world.FACTORS if k not in asked]
    embedded = clip.image_features(clip_model, images)
    own = {k: entropy(seen[k], len(world.FACTORS[k])) for k in free}
    most = {k: world_entropy(k, len(images)) for k in free}
    nats = sum(own.values())
    right = {k: float((seen[k] == world.FACTORS[k].index(v)).float().mean()) for k, v in asked.items()}
    return {
        "clip_distance": pairwise(embedded),
        "judge_distance": pairwise(features),
        "pixel_distance": _pixels(images),
        "free_nats": nats,
        "free_entropy": nats / sum(most.values()),
        **{f"free_{k}": own[k] / most[k] if k in free else float("nan") for k in world.FACTORS},
        "named_right": sum(right.values()) / len(right) if right else float("nan"),
        "clip_score": float((embedded @ clip.text_features(clip_model, text_ids).t()).mean()),
        "sharpness": float(images.diff(dim=-1).abs().mean() + images.diff(dim=-2).abs().mean()),
        "certainty": sum(float(read[k].softmax(1).amax(1).mean()) for k in world.FACTORS) / len(world.FACTORS),
    }


def _pixels(images: torch.Tensor) -> float:
    """Mean root mean square difference of all pairs, in units of the −1…1 range."""
    flat = images.flatten(1)
    n = len(flat)
    return float(torch.cdist(flat, flat).sum() / (n * (n - 1)) / flat.shape[1] ** .5)


def summary(rows: list[dict[str, float]], reference: list[dict[str, float]] | None = None, draws: int = 2000) -> dict:
    """Means over prompts with 95 % bootstrap intervals over prompts; with a reference, also the ratio to it, prompts paired."""
    rng, out = np.random.default_rng(0), {}
    for name in rows[0]:
        values = np.array([r[name] for r in rows])
        known = ~np.isnan(values)
        picks = rng.integers(0, known.sum(), (draws, known.sum()))
        means = values[known][picks].mean(1)
        out[name] = {"mean": float(values[known].mean()), "interval": np.quantile(means, [.025, .975]).tolist()}
        if reference is not None:
            other = np.array([r[name] for r in reference])[known]
            ratios = means / other[picks].mean(1)
            out[name] |= {"ratio": float(values[known].mean() / other.mean()), "ratio_interval": np.quantile(ratios, [.025, .975]).tolist()}
    return out
