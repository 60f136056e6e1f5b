"""Knows what is measured on sets of pictures of one prompt: distances, entropy of free factors, adherence; and intervals."""
import math
import re

import numpy as np
import torch
import torch.nn.functional as F

from . import clip, world


def named(prompt: str, judge) -> dict:
    """The factors with a fixed set of values that a prompt names, in the judge's words; of several values the first in the prompt, and of those at
    one place the longest."""
    found = {}
    for factor, values in judge.factors.items():
        said = [(value, judge.word(factor, value)) for value in values]
        places = [(m.start(), -len(word), i) for i, (_, word) in enumerate(said) if word and (m := re.search(rf"\b{re.escape(word)}\b", prompt))]
        if places:
            found[factor] = values[min(places)[2]]
    return found


def pairwise(features: torch.Tensor) -> float:
    """Mean cosine distance of all pairs. features [N, D]"""
    unit = F.normalize(features, dim=-1)
    n = len(unit)
    return float((n * n - (unit @ unit.t()).sum()) / (n * (n - 1)))


def information(p: torch.Tensor) -> float:
    """Mutual information of pictures and a factor in nats, p [N, values]: H(mean p) − mean H(p), its bias removed by the jackknife
    (src/metrics/information.ts)."""
    p = p.double()
    entropy = lambda q: -(q * q.clamp(min=1e-300).log()).sum(-1)
    n, mean = len(p), p.mean(0)
    without = ((n * mean - p) / (n - 1)).clamp(min=0)
    corrected = n * entropy(mean) - (n - 1) * entropy(without).mean() - entropy(p).mean()
    return float(corrected.clamp(0, math.log(p.shape[1])))


def world_entropy(factor: str) -> float:
    """The world's own, in nats."""
    priors = world.PRIORS.get(factor, [1 / len(world.FACTORS[factor])] * len(world.FACTORS[factor]))
    return -sum(p * math.log(p) for p in priors)


def of_prompt(prompt: str, images: torch.Tensor, judge, clip_model, text_ids: torch.Tensor, worlds: dict[str, float] | None = None) -> dict[str, float]:
    """Everything about the pictures [N, 3, 64, 64] of one prompt. worlds: factor → the entropy that the world itself has for the prompt, in nats; the
    characters' own by default."""
    features, factors = judge.features(images), judge.factors
    read, asked = judge.read(features), named(prompt, judge)
    seen = {k: read[k].argmax(1) for k in factors}
    free = [k for k in factors if k not in asked]
    embedded = clip.image_features(clip_model, images)
    own = {k: information(read[k].softmax(1)) for k in free}
    most = {k: worlds[k] if worlds else world_entropy(k) for k in free}
    nats, total = sum(own.values()), sum(most.values())
    right = {k: float((seen[k] == factors[k].index(v)).float().mean()) for k, v in asked.items()}
    return {
        "clip_distance": pairwise(embedded),
        "judge_distance": pairwise(features),
        "pixel_distance": _pixels(images),
        "free_nats": nats,
        "free_entropy": nats / total if total else float("nan"),
        **{f"free_{k}": own[k] / most[k] if k in free and most[k] else float("nan") for k in factors},
        **{f"worlds_{k}": most[k] if k in free and most[k] else float("nan") for k in factors},
        "named_right": sum(right.values()) / len(right) if right else float("nan"),
        "clip_score": float((embedded @ clip.text_features(clip_model, text_ids).t()).clamp(min=0).mean()),
        "sharpness": float(images.diff(dim=-1).abs().mean() + images.diff(dim=-2).abs().mean()),
        "certainty": sum(float(read[k].softmax(1).amax(1).mean()) for k in factors) / len(factors),
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
        if not known.any():
            continue
        picks = rng.integers(0, known.sum(), (draws, known.sum()))
        means = values[known][picks].mean(1)
        out[name] = {"mean": float(values[known].mean()), "interval": np.quantile(means, [.025, .975]).tolist()}
        if reference is not None:
            other = np.array([r[name] for r in reference])[known]
            ratios = means / other[picks].mean(1)
            out[name] |= {"ratio": float(values[known].mean() / other.mean()), "ratio_interval": np.quantile(ratios, [.025, .975]).tolist()}
    return out
