"""Knows how Concept Sliders are trained (Gandikota et al. 2024): one LoRA whose scale moves one factor both ways."""
import torch
import torch.nn.functional as F

from . import network, noise
from .adapters import Adapter, save_kohya
from .conditioning import Text, TrainingSet
from .run import bfloat16
from .sampling import acting, four_steps

NEUTRAL = "a cartoon character"
SLIDERS = {
    "smile": ("a smiling cartoon character", "a sad cartoon character", {"base": 1.5, "distilled": .4}),
    "eye-size": ("a cartoon character with big eyes", "a cartoon character with small eyes", {"base": 3.0, "distilled": 1.0}),
}
"""What more and less of it is called, and how many times their difference scale 1 moves. The words for eye size say less than those for a smile, which
on the base was at its end at scale 1 at a strength of 3. The distilled model's every step moves far: at 1.5 its smile turned back at scale 2, at 0.75 it
took the eyes' size along by 0.37, at 0.4 by 0.17 (measured)."""
ON = ["base", "distilled"]
RANK, ALPHA = 4, 1.0
BATCH = 16


def noisy(unet, on: str, training: TrainingSet, text) -> tuple[torch.Tensor, torch.Tensor]:
    """x_t and t to learn at: the base's at random times of training pictures, the distilled model's at its own four steps."""
    if on == "base":
        x0, _ = training.draw(BATCH)
        t = noise.drawn(BATCH).clamp(min=150)
        return noise.add(x0, t), t
    acts = int(torch.randint(0, len(noise.GRID), ()))
    x, t = torch.randn(BATCH, *network.LATENT), noise.at(noise.GRID[acts], BATCH)
    if acts:
        x0, _ = four_steps([acting(unet)] * acts, x, text)
        x = noise.add(x0, t)
    return x, t


def run(run) -> None:
    """Stage `slider`: `--option name=smile --option on=base` writes OUT/sliders/smile.base.safetensors. No checkpoints: it is short."""
    name, on = run.options.get("name", "smile"), run.options.get("on", "base")
    training, unet = TrainingSet(run.out), network.load(run.out / on)
    *words, strengths = SLIDERS[name]
    neutral, more, less = (_repeated(part) for part in zip(*(p.split(1) for p in Text.load(run.out / "base").encode([NEUTRAL, *words]))))
    adapter = Adapter(unet, "noxattn", RANK, ALPHA)
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=run.rate(2e-3))
    for step in run.steps(optimizer, warmup=20):
        adapter.scale = 0.0
        x, t = noisy(unet, on, training, neutral)
        with torch.no_grad(), bfloat16():
            plain, up, down = (network.predict(unet, x, t, text) for text in (neutral, more, less))
        adapter.scale = 1.0 if step % 2 == 0 else -1.0
        with bfloat16():
            moved = network.predict(unet, x, t, neutral)
        loss = F.mse_loss(moved, plain + adapter.scale * strengths[on] * (up - down))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.say(f"{name} on {on}: loss {loss.item():.5f}")
    save_kohya(adapter, run.out / "sliders" / f"{name}.{on}.safetensors")


def _repeated(text) -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(part.expand(BATCH, *part.shape[1:]) for part in text)
