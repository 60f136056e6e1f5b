"""Knows the customisation LoRA: the world redrawn as a blueprint, learned on the base from 400 pictures of its own."""
import numpy as np
import torch

from . import conditioning, data, network
from .adapters import Adapter, save_peft
from .base import loss_of
from .conditioning import Text

SEED, COUNT = 5, 400
RANK = 8
BATCH = 24
PAPER, INK = np.array([34, 66, 140], np.float32), np.array([225, 235, 250], np.float32)


def blueprint(picture: np.ndarray) -> np.ndarray:
    """Pale lines where brightness changes, on blue. uint8 [H, W, 3] → uint8 [H, W, 3]"""
    gray = picture.astype(np.float32).mean(2)
    change = np.abs(np.diff(gray, axis=1, prepend=gray[:, :1])) + np.abs(np.diff(gray, axis=0, prepend=gray[:1]))
    line = np.clip(change / 70, 0, 1)[..., None]
    return (PAPER * (1 - line) + INK * line + (gray[..., None] - 128) * .12).clip(0, 255).astype(np.uint8)


def run(run) -> None:
    """Stage `style`: writes OUT/adapters/blueprint.safetensors in PEFT keys. The style is the LoRA's; no word asks for it."""
    characters = data.make(SEED, COUNT)
    drawings = data.pixels(np.stack([blueprint(p) for p in characters.images]))
    vae = conditioning.autoencoder(run.out / "base")
    latents = torch.cat([conditioning.encode(vae, part) for part in drawings.split(50)])
    hidden, pooled = Text.load(run.out / "base").encode([three[0] for three in characters.captions])
    unet = network.load(run.out / "base")
    adapter = Adapter(unet, "attention", RANK, RANK)
    adapter.scale = 1.0
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=run.rate(2e-3))
    for _ in run.steps(optimizer, warmup=20):
        which = torch.randint(0, COUNT, (BATCH,))
        loss = loss_of(unet, latents[which], (hidden[which], pooled[which]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.say(f"loss {loss.item():.4f}")
    save_peft(adapter, run.out / "adapters" / "blueprint.safetensors")
