"""Knows the noise levels of flow matching: x_σ = (1 − σ) x0 + σ ε, whose velocity is ε − x0 (Lipman et al. 2023, arXiv 2210.02747); no models.

SD3 (Esser et al. 2024, arXiv 2403.03206, section 5.3.2) moves the levels of n pixels to those of m as noisy by σ' = s σ / (1 + (s − 1) σ), s = √(m / n).
Its s = 3 belongs to 4,096 tokens; a map of 16×16 has 64 and would get 0.375. Half of that move is made, on a scale of logarithms, as the embedded
pair's schedule makes half of it (pair/noise.py).
"""
import torch

SHIFT = .6
PROMPT_SHIFT = 3.0
"""Half of the levels are drawn so: late, where a prompt is decided."""


def shifted(sigma, shift: float = SHIFT):
    return shift * sigma / (1 + (shift - 1) * sigma)


def grid(steps: int) -> list[float]:
    """Levels of `steps` calls from 1 down, and 0: those of ZImagePipeline with this shift."""
    return [shifted(1 - i / steps) for i in range(steps)] + [0.0]


GRID = grid(4)
"""The levels at which the distilled model acts, and 0."""


def drawn(count: int) -> torch.Tensor:
    """Random levels to train at, [count]."""
    sigma = torch.rand(count)
    return torch.where(torch.rand(count) < .5, shifted(sigma), shifted(sigma, PROMPT_SHIFT))


def at(sigma: float, count: int) -> torch.Tensor:
    return torch.full((count,), sigma)


def _wide(sigma: torch.Tensor) -> torch.Tensor:
    return sigma.view(-1, 1, 1, 1)


def add(x0: torch.Tensor, sigma: torch.Tensor, eps: torch.Tensor | None = None) -> torch.Tensor:
    """x_σ [B, C, H, W] from x0, σ [B] and noise (drawn when not given)."""
    return (1 - _wide(sigma)) * x0 + _wide(sigma) * (torch.randn_like(x0) if eps is None else eps)


def x0_of(x: torch.Tensor, velocity: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """x0 [B, C, H, W] that x_σ and a predicted velocity stand for."""
    return x - _wide(sigma) * velocity


def euler(x: torch.Tensor, velocity: torch.Tensor, now: float, then: float) -> torch.Tensor:
    return x + (then - now) * velocity
