"""Knows how the base is trained: ε prediction over latents of the training images, with captions dropped for guidance."""
import torch

from . import network, noise, setting
from .conditioning import TrainingSet
from .run import Average, bfloat16, descend

BATCH = 32
DROPPED = .12


def loss_of(unet, x0: torch.Tensor, text, t: torch.Tensor | None = None) -> torch.Tensor:
    """Weighted ε loss at random times. x0 [B, 4, 16, 16]."""
    t = noise.drawn(len(x0)) if t is None else t
    eps = torch.randn_like(x0)
    with bfloat16():
        predicted = network.predict(unet, noise.add(x0, t, eps), t, text)
    return (noise.weight(t) * (predicted - eps).pow(2)).mean()


def run(run) -> None:
    """Stage `base`. With --resume: from the checkpoint, or from base/unet when there is none, at the step in
    progress.json."""
    training = TrainingSet(run.out)
    from_weights = run.resume and (run.out / "base" / "unet" / "config.json").exists()
    unet = network.load(run.out / "base", trainable=True) if from_weights else network.new(**setting.of(run.out).unet)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=run.rate(6e-4), weight_decay=.01, fused=True)
    average = Average(unet, .9985)
    parts = {"unet": unet, "optimizer": optimizer, "average": average}
    if not run.restore(**parts) and from_weights:
        run.go_on()

    def loss():
        x0, text = training.draw(BATCH, DROPPED)
        return loss_of(unet, x0, text)

    descend(run, unet, parts, loss, lambda: network.save(unet, run.out / "base"))
