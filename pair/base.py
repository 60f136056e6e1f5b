"""Knows how the base is trained: ε prediction over latents of the training images, with captions dropped for guidance."""
import torch

from . import network, noise, setting
from .conditioning import TrainingSet
from .run import Average, bfloat16

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
    if not run.restore(unet=unet, optimizer=optimizer, average=average) and from_weights:
        run.go_on()
    smooth = None
    for step in run.steps(optimizer):
        x0, text = training.draw(BATCH, DROPPED)
        loss = loss_of(unet, x0, text)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.)
        optimizer.step()
        average.update(unet, step)
        smooth = loss.item() if smooth is None else .98 * smooth + .02 * loss.item()
        run.say(f"loss {smooth:.4f}")
        if run.keep(unet=unet, optimizer=optimizer, average=average):
            _write(run, unet, average)
    run.keep(force=True, unet=unet, optimizer=optimizer, average=average)
    _write(run, unet, average)
    run.report(loss=smooth)


def _write(run, unet, average) -> None:
    with average.applied(unet):
        network.save(unet, run.out / "base")
