"""Knows how pictures are made from the trained models: the guided base, four steps, and hybrids of the two."""
import torch

from . import network, noise
from .run import bfloat16


@torch.no_grad()
def ddim(unet, x: torch.Tensor, text, guidance: float, steps: int, keep: list[int] = ()) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
    """Deterministic run on a trailing grid from x [B, 4, 16, 16] at t = 999: the final x0, and x_t at the times in `keep`."""
    times, kept = noise.trailing(steps), {}
    for here, there in zip(times, [*times[1:], None]):
        if here in keep:
            kept[here] = x
        t = noise.at(here, len(x))
        with bfloat16():
            eps = network.guided(unet, x, t, text, guidance)
        x0 = noise.x0_of(x, eps, t)
        x = x0 if there is None else noise.add(x0, noise.at(there, len(x)), eps)
    return x, kept


@torch.no_grad()
def four_steps(models: list, x: torch.Tensor, text, generator: torch.Generator | None = None, guidances=(1, 1, 1, 1)) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """LCM-like steps at 999, 749, 499, 249: predict x0, add fresh noise for the next time. models: who acts at each step,
    each a function (x, t, text, guidance) → ε. Returns the final x0 [B, 4, 16, 16] and the x0 of every step."""
    seen = []
    for i, (model, guidance) in enumerate(zip(models, guidances)):
        t = noise.at(noise.GRID[i], len(x))
        with bfloat16():
            x0 = noise.x0_of(x, model(x, t, text, guidance), t)
        seen.append(x0)
        if i + 1 < len(models):
            fresh = torch.randn(x.shape, generator=generator)
            x = noise.add(x0, noise.at(noise.GRID[i + 1], len(x)), fresh)
    return x0, seen


def acting(unet):
    """A UNet as an actor of `four_steps`."""
    return lambda x, t, text, guidance: network.guided(unet, x, t, text, guidance)
