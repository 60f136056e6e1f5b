"""Knows how Concept Sliders are trained (Gandikota et al. 2024): one LoRA whose scale moves one factor both ways."""
import torch
import torch.nn.functional as F

from . import network, noise, setting
from .adapters import Adapter, merge_peft, save_kohya
from .conditioning import Text, TrainingSet
from .run import bfloat16
from .sampling import acting, four_steps

ON = ["base", "distilled"]
RANK, ALPHA = 4, 1.0
BATCH = 16


def denoiser(out, on: str):
    """The model in OUT that a slider is trained on; a distilled model that is a LoRA alone is merged into the base."""
    if (out / on).exists():
        return network.load(out / on)
    unet = network.load(out / "base")
    merge_peft(unet, out / "adapters" / f"{on}.safetensors")
    return unet


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
    training, unet = TrainingSet(run.out), denoiser(run.out, on)
    slider = setting.of(run.out).sliders[name]
    prompts = [slider[which] for which in ("neutral", "more", "less")]
    neutral, more, less = (_repeated(part) for part in zip(*(p.split(1) for p in Text.load(run.out / "base").encode(prompts))))
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
        loss = F.mse_loss(moved, plain + adapter.scale * slider["strengths"][on] * (up - down))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.say(f"{name} on {on}: loss {loss.item():.5f}")
    save_kohya(adapter, run.out / "sliders" / f"{name}.{on}.safetensors")


def _repeated(text) -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(part.expand(BATCH, *part.shape[1:]) for part in text)
