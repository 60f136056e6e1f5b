"""How the weights of a golden grow from a seed. test/support/grow.ts grows the same ones, so none are committed."""

import math

import torch

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}

# exp(2.6592) = 1 / 0.07: where CLIP's training starts (Radford et al. 2021, section 2.5).
LOGIT_SCALE = 2.6592

# A value this near (relative) to the middle between two half-precision numbers may fall to either side: logarithm and
# cosine have other last bits on other machines (seen: 2.9e-7 at most in 400,000 draws, between torch and JavaScript).
NEAR = 5e-7


def noise(shape, seed):
    """Standard normals [shape], float32, from a CPU generator of their own."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def by_name(tensors):
    """[name, shape] pairs in byte order of their names, which is the order seeds are counted in."""
    return sorted(([name, list(shape)] for name, shape in tensors), key=lambda t: t[0].encode())


def near_one(name):
    """Factors of a normalisation, and the variance of the normalised latents of FLUX.2's autoencoder."""
    return name.endswith(".weight") or name == "bn.running_var"


def grow_one(name, shape, seed):
    """One weight, float32. Scaled so that activations stay near 1 through any depth."""
    if name.endswith("logit_scale"):
        return torch.full(shape, LOGIT_SCALE)
    n = noise(shape, seed)
    if "embedding.weight" in name:
        return n * 0.5
    if len(shape) >= 2:
        return n / math.sqrt(math.prod(shape[1:]))
    return 1 + n * 0.1 if near_one(name) else n * 0.1


def grow(weights):
    """{seed, dtype, tensors} → name → tensor, rounded to dtype. Tensor i of the list has the seed `seed + i`."""
    dtype = DTYPES[weights["dtype"]]
    return {
        name: grow_one(name, shape, weights["seed"] + i).to(dtype)
        for i, (name, shape) in enumerate(weights["tensors"])
    }


def ties(weights):
    """Values whose rounding to dtype hangs on a last bit, as tensor, place, value, tensor, …: a reader takes these as they are."""
    dtype = DTYPES[weights["dtype"]]
    if dtype == torch.float32:
        return []
    found = []
    for i, (name, shape) in enumerate(weights["tensors"]):
        exact = grow_one(name, shape, weights["seed"] + i).flatten()
        # The other operand of the rule's sums is 1, so the error is measured against that where it is larger.
        reach = NEAR * (exact.abs().clamp(min=1) if near_one(name) and len(shape) < 2 else exact.abs())
        wavers = (exact - reach).to(dtype) != (exact + reach).to(dtype)
        for place in wavers.nonzero().flatten().tolist():
            found += [i, place, float(exact[place].to(dtype))]
    return found


def fingerprint(weights):
    """Sum and sum of squares over all weights: tells a wrong growth from a wrong network."""
    total = squares = 0.0
    for tensor in grow(weights).values():
        values = tensor.double()
        total += float(values.sum())
        squares += float((values * values).sum())
    return [float(f"{total:.9g}"), float(f"{squares:.9g}")]
