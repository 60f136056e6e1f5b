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


def distances(x):
    flat = x.flatten(1)
    return torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")


def others(row, i):
    return torch.cat([row[:i], row[i + 1 :]])


def along(x, potential):
    """x + the gradient of a potential of all samples, by autograd: the reference knows no closed form."""
    with torch.enable_grad():
        own = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(potential(own), own)
    return x + gradient


def particles(x, scale):
    """Corso et al. 2024: the log of the potential is minus the sum of an RBF kernel, whose bandwidth is not differentiated."""
    squared = distances(x) ** 2
    n = len(x)
    result = x.clone()
    for i in range(n):
        h = others(squared[i], i).median() / torch.log(torch.tensor(max(n - 1, 2), dtype=x.dtype))

        def potential(own, i=i, h=h):
            return sum(-torch.exp(-((own - x[j]) ** 2).sum() / h) for j in range(n) if j != i)

        result[i] = x[i] + scale * h * (along(x[i], potential) - x[i])
    return result


def squared_median(x):
    squared = distances(x) ** 2
    values = torch.stack([squared[i, j] for i in range(len(x)) for j in range(i)]).sort().values
    m = len(values)
    return (values[(m - 1) // 2] + values[m // 2]) / 2


def pairwise(own):
    flat = own.flatten(1)
    return ((flat[:, None] - flat[None]) ** 2).sum(-1)


def dpp(x, scale, width):
    """DiverseFlow: the log-likelihood log det L - log det (L + I)."""
    m, eye = squared_median(x), torch.eye(len(x), dtype=x.dtype)

    def potential(own):
        kernel = torch.exp(-width * pairwise(own) / (2 * m)) + 1e-6 * eye
        return torch.logdet(kernel) - torch.logdet(kernel + eye)

    return x + scale * m * (along(x, potential) - x)


def rke(x, scale, width):
    """SPARKE within one prompt: minus the log of the mean squared Gaussian kernel."""
    b2, n = width**2 * squared_median(x), len(x)

    def potential(own):
        return -torch.log((torch.exp(-pairwise(own) / (2 * b2)) ** 2).mean())

    return x + scale * n * b2 * (along(x, potential) - x)


def siblings(x, scale):
    """Classifier-free guidance with scale 1 + s; the unconditional prediction is the mean of the others."""
    means = torch.stack([others(x, i).mean(0) for i in range(len(x))])
    return means + (1 + scale) * (x - means)


def apg(cond, uncond, guidance, before, eta, norm, momentum):
    """Algorithm 1 of Sadat et al. 2024, on x0; the norm is scaled from SDXL's number of values to this one."""
    difference = cond - uncond + momentum * before
    limit = norm * (cond.numel() / (4 * 128 * 128)) ** 0.5
    shortened = difference * min(1.0, limit / float(difference.norm())) if norm > 0 else difference
    unit = cond / cond.norm()
    parallel = (shortened * unit).sum() * unit
    return cond + (guidance - 1) * (shortened - parallel + eta * parallel), difference


def cosine(n):
    k, i = torch.arange(n, dtype=torch.float64)[:, None], torch.arange(n, dtype=torch.float64)[None]
    rows = torch.cos(torch.pi * (2 * i + 1) * k / (2 * n)) * (2 / n) ** 0.5
    rows[0] /= 2**0.5
    return rows


def frequencies(h, w):
    u, v = torch.arange(h, dtype=torch.float64)[:, None] / h, torch.arange(w, dtype=torch.float64)[None] / w
    return (u**2 + v**2).sqrt()


def low_frequency(z, strength, cutoff):
    h, w = z.shape[-2:]
    gain = 1 + strength * torch.exp(-frequencies(h, w) ** 2 / (2 * cutoff**2))
    gain = gain / (gain**2).mean().sqrt()
    return cosine(h).T @ (gain * (cosine(h) @ z @ cosine(w).T)) @ cosine(w)


def spread(z, strength):
    n = len(z)
    return (z - strength * z.mean(0)) / (1 - (2 * strength - strength**2) / n) ** 0.5


def antithetic(z, strength):
    result = z.clone()
    for i in range(1, len(z), 2):
        result[i] = (1 - strength**2) ** 0.5 * z[i] - strength * z[i - 1]
    return result


def farthest(draws, cutoff):
    """draws [samples, candidates, C, h, w]: which candidate each sample keeps."""
    h, w = draws.shape[-2:]
    low = (cosine(h) @ draws @ cosine(w).T)[..., frequencies(h, w) <= cutoff].flatten(2)
    kept = [0]
    for i in range(1, len(draws)):
        taken = torch.stack([low[j, k] for j, k in enumerate(kept)])
        kept.append(int(((low[i][:, None] - taken[None]) ** 2).sum(-1).min(1).values.argmax()))
    return kept


GROUPS = {
    "particles": (particles, [{"scale": 0.2}, {"scale": 3.0}]),
    "dpp": (dpp, [{"scale": 0.2, "width": 1.0}, {"scale": 1.0, "width": 4.0}]),
    "rke": (rke, [{"scale": 0.2, "width": 0.7}, {"scale": 2.0, "width": 0.3}]),
    "siblings": (siblings, [{"scale": 0.2}]),
    "low-frequency": (low_frequency, [{"strength": 0.5, "cutoff": 0.1}, {"strength": 3.0, "cutoff": 0.4}]),
    "spread": (spread, [{"strength": 1.0}, {"strength": 0.4}]),
    "antithetic": (antithetic, [{"strength": 1.0}, {"strength": 0.6}]),
}


def record_groups(cases, tensors):
    """Five samples that are not alike in their distances, two samples, all of [4, 3, 5]."""
    five = noise([5, 4, 3, 5], 3).double()
    five[1] = five[0] + 0.3 * five[1]
    tensors["five"], tensors["two"] = five, noise([2, 4, 3, 5], 4).double()
    for name, (method, hooks) in GROUPS.items():
        cases[name] = hooks
        for i, hook in enumerate(hooks):
            for group in ("five", "two"):
                tensors[f"{name}.{i}.{group}"] = method(tensors[group], **hook)
    draws = noise([4, 6, 4, 3, 5], 5).double()
    tensors["draws"] = draws
    cases["farthest"] = [{"cutoff": c, "kept": farthest(draws, c)} for c in (0.4, 1.5)]


def contrastive(x, anchors, temperature):
    """InfoNCE of van den Oord et al. 2018 with cosines, whose positive is the sample's own anchor, by torch's cross entropy."""
    with torch.enable_grad():
        own = x.clone().requires_grad_()
        units, fixed = (torch.nn.functional.normalize(v.flatten(1), dim=1) for v in (own, anchors))
        logits = units @ units.T
        n = len(x)
        logits = torch.where(torch.eye(n, dtype=torch.bool), (units * fixed).sum(1)[:, None], logits) / temperature
        loss = torch.nn.functional.cross_entropy(logits, torch.arange(n))
        (gradient,) = torch.autograd.grad(loss, own)
    return float(loss), gradient


def record_contrastive(cases, tensors):
    tensors["anchors"] = tensors["five"] + 0.2 * noise([5, 4, 3, 5], 9).double()
    cases["contrastive-noise"] = []
    for i, temperature in enumerate((0.1, 1.0)):
        loss, gradient = contrastive(tensors["five"], tensors["anchors"], temperature)
        cases["contrastive-noise"].append({"temperature": temperature, "loss": loss})
        tensors[f"contrastive-noise.{i}"] = gradient


def record_apg(cases, tensors):
    cond, uncond, before = (noise([1, 4, 3, 5], seed).double() for seed in (6, 7, 8))
    tensors["cond"], tensors["uncond"], tensors["before"] = cond, uncond, before
    cases["apg"] = [
        {"guidance": 5.0, "eta": 0.0, "norm": 15.0, "momentum": -0.5},
        {"guidance": 3.0, "eta": 0.4, "norm": 1e5, "momentum": 0.25},
        {"guidance": 7.5, "eta": 1.0, "norm": 0.0, "momentum": 0.0},
    ]
    for i, case in enumerate(cases["apg"]):
        tensors[f"apg.{i}"], tensors[f"apg.{i}.momentum"] = apg(cond, uncond, before=before, **case)


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
    record_groups(cases, tensors)
    record_contrastive(cases, tensors)
    record_apg(cases, tensors)
    store.put("methods", cases, {key: value.float() for key, value in tensors.items()})
