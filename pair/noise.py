"""Knows the noise schedule: variance-preserving algebra over latents x_t = α x0 + σ ε; no models.

Stable Diffusion's schedule is made for maps of 64×64 and more. The same noise hides more of a 16×16 map, which says each
thing fewer times (Hoogeboom et al. 2023: to see as much, the SNR must grow with the ratio of areas), so that at t = 749
nearly everything would still be open. Half of that shift is made here; √ᾱ is then stretched so that the last time stays as
noisy as before, because a run begins with nothing but noise (the stretching is of Lin et al. 2024).
"""
import torch

STEPS = 1000
GRID = [999, 749, 499, 249]
"""The four times at which the distilled models act."""

SHIFT = 8.0


def _shifted(stable: torch.Tensor) -> torch.Tensor:
    """ᾱ [STEPS] of a schedule with SHIFT times the SNR, stretched to the same last value."""
    odds = SHIFT * stable / (1 - stable)
    alpha, last = (odds / (1 + odds)).sqrt(), stable[-1].sqrt()
    return (last + (alpha - alpha[-1]) * (1 - last) / (1 - alpha[-1])).square()


_STABLE = torch.cumprod(1 - torch.linspace(.00085 ** .5, .012 ** .5, STEPS, dtype=torch.float64) ** 2, 0)
_BAR = _shifted(_STABLE)
BETAS = (1 - _BAR / torch.cat([torch.ones(1), _BAR[:-1]])).float()
ALPHA_BAR = torch.cumprod(1 - BETAS, 0)
SPREAD = torch.searchsorted(-_BAR, -_STABLE).clamp(max=STEPS - 1)
"""For each time of Stable Diffusion's schedule the one here that is as noisy."""


def _levels(t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """t [B] → α, σ, each [B, 1, 1, 1]."""
    a = ALPHA_BAR[t].view(-1, 1, 1, 1)
    return a.sqrt(), (1 - a).sqrt()


def add(x0: torch.Tensor, t: torch.Tensor, eps: torch.Tensor | None = None) -> torch.Tensor:
    """x_t [B, C, H, W] from x0 and noise (drawn when not given)."""
    alpha, sigma = _levels(t)
    return alpha * x0 + sigma * (torch.randn_like(x0) if eps is None else eps)


def x0_of(xt: torch.Tensor, eps: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """x0 [B, C, H, W] that x_t and a predicted ε stand for."""
    alpha, sigma = _levels(t)
    return (xt - sigma * eps) / alpha


def eps_of(xt: torch.Tensor, x0: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    alpha, sigma = _levels(t)
    return (xt - alpha * x0) / sigma


def weight(t: torch.Tensor, most: float = 5.0) -> torch.Tensor:
    """Weight of an ε loss: 1 / √SNR (Yu et al. 2023), [B, 1, 1, 1]. What a prompt decides is decided at high noise, where an error of ε is
    small and one of x0 large: under min-SNR weights the pictures were fine and the prompt hardly heard after 1,500 steps (measured)."""
    snr = (ALPHA_BAR[t] / (1 - ALPHA_BAR[t])).view(-1, 1, 1, 1)
    return snr.rsqrt().clamp(max=most)


def drawn(count: int) -> torch.Tensor:
    """Random times to train at, [count]: half of them anywhere, half where Stable Diffusion's even times lie, which is late, where a
    prompt is decided."""
    t = torch.randint(0, STEPS, (count,))
    return torch.where(torch.rand(count) < .5, t, SPREAD[t])


def at(t: int, count: int) -> torch.Tensor:
    return torch.full((count,), t, dtype=torch.long)


def trailing(steps: int) -> list[int]:
    """Times from 999 down, evenly spaced at the noisy end."""
    return [round(STEPS - i * STEPS / steps) - 1 for i in range(steps)]
