"""Records what each diversity method computes, written from the equations of its paper with plain torch in double precision."""

import torch

from .weights import noise

TEXT = [1, 7, 5]


def cads_gamma(low, high, tau1, tau2, points=200_001):
    """Mean of eq. 3 of Sadat et al. 2024 over an interval of time, by the trapezoidal rule."""
    t = torch.linspace(low, high, points, dtype=torch.float64)
    gamma = torch.where(t <= tau1, 1.0, torch.where(t >= tau2, 0.0, (tau2 - t) / (tau2 - tau1)))
    return float(torch.trapezoid(gamma, t) / (high - low))


def cads(y, n, gamma, scale, mix):
    """Eq. 4 to 6 of Sadat et al. 2024."""
    noisy = gamma**0.5 * y + scale * (1 - gamma) ** 0.5 * n
    rescaled = (noisy - noisy.mean()) / noisy.std() * y.std() + y.mean()
    return mix * rescaled + (1 - mix) * noisy


def embedding_noise(y, seed, strength, unit, distribution, share):
    """What the nodes for ComfyUI and InvokeAI do: noise where a random mask is set, in units of 1 or of the deviation of y."""
    generator = torch.Generator().manual_seed(seed)
    if distribution == "normal":
        drawn = torch.randn(y.shape, generator=generator)
    else:
        drawn = torch.rand(y.shape, generator=generator) * 2 - 1
    mask = torch.rand(y.shape, generator=generator) < share
    scale = strength * (y.std() if unit == "deviation" else 1)
    return y + scale * drawn.double() * mask


def record(store):
    tensors = {}
    cases = {"cads": [], "cads-gamma": [], "embedding-noise": []}
    y, n = (noise(TEXT, seed).double() * scale + shift for seed, scale, shift in ((1, 0.8, 0.3), (2, 1, 0)))
    tensors["text"], tensors["text-noise"] = y, n
    for steps in (1, 2, 4, 8, 25):
        gammas = [cads_gamma(1 - (i + 1) / steps, 1 - i / steps, 0.6, 0.9) for i in range(steps)]
        cases["cads-gamma"].append({"tau1": 0.6, "tau2": 0.9, "values": [round(g, 9) for g in gammas]})
    for i, hook in enumerate(
        ({"gamma": 0.15, "scale": 0.25, "mix": 1}, {"gamma": 0.5, "scale": 2, "mix": 0.3}, {"gamma": 0, "scale": 1, "mix": 0})
    ):
        cases["cads"].append(hook)
        tensors[f"cads.{i}"] = cads(y, n, **hook)
    for i, hook in enumerate(
        (
            {"strength": 2, "unit": "deviation", "distribution": "uniform", "share": 0.5},
            {"strength": 20, "unit": "absolute", "distribution": "uniform", "share": 0.5},
            {"strength": 10, "unit": "absolute", "distribution": "normal", "share": 1},
        )
    ):
        cases["embedding-noise"].append({"seed": 40 + i, **hook})
        tensors[f"embedding-noise.{i}"] = embedding_noise(y, 40 + i, **hook)
    store.put("methods", cases, {key: value.float() for key, value in tensors.items()})
