"""Knows the noise schedule: variance-preserving algebra over latents x_t = α x0 + σ ε; no models."""
import torch

STEPS = 1000
GRID = [999, 749, 499, 249]
"""The four times at which the distilled models act."""

BETAS = torch.linspace(.00085 ** .5, .012 ** .5, STEPS) ** 2
ALPHA_BAR = torch.cumprod(1 - BETAS, 0)


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


def at(t: int, count: int) -> torch.Tensor:
    return torch.full((count,), t, dtype=torch.long)


def trailing(steps: int) -> list[int]:
    """Times from 999 down, evenly spaced at the noisy end."""
    return [round(STEPS - i * STEPS / steps) - 1 for i in range(steps)]
