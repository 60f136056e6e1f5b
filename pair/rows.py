"""Knows how two students become one: the first of the four rows from one that stopped early, the later rows from one that went on.

Each is regression on what that student itself predicts, row by row, on the inputs that a run or a hybrid's hand-off gives it.
"""
import torch
import torch.nn.functional as F

from . import network, noise
from .conditioning import TrainingSet
from .run import Average, bfloat16

BATCH = 32
FIRST, LATER = "early", "settled"


def run(run) -> None:
    """Stage `rows`: writes OUT/distilled/unet. Reads both students (OUT/early and OUT/settled, each what `distil` wrote) and starts from the first."""
    training, base = TrainingSet(run.out), network.load(run.out / "base")
    first, later = network.load(run.out / FIRST), network.load(run.out / LATER)
    student = network.load(run.out / FIRST, trainable=True)
    optimizer = torch.optim.AdamW(student.parameters(), lr=run.rate(2e-4), weight_decay=.01, fused=True)
    average = Average(student, .99)
    parts = {"student": student, "optimizer": optimizer, "average": average}
    run.restore(**parts)
    for step in run.steps(optimizer):
        _, text = training.draw(BATCH)
        losses = _losses(student, base, first, later, text)
        optimizer.zero_grad()
        sum(losses).backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.)
        optimizer.step()
        average.update(student, step)
        run.say("squared errors, first and later: " + " ".join(f"{loss.item():.5f}" for loss in losses))
        run.keep(**parts)
    run.keep(force=True, **parts)
    with average.applied(student):
        network.save(student, run.out / "distilled")


def _losses(student, base, first, later, text) -> list[torch.Tensor]:
    """Squared errors of x0 in the first row, and in a later one that is reached from the first row of the early student or of the base."""
    x, t = torch.randn(BATCH, *network.LATENT), noise.at(noise.GRID[0], BATCH)
    wanted = _x0(first, x, t, text)
    losses = [_error(student, x, t, text, wanted)]
    x0 = wanted if torch.rand(()) < .5 else _x0(base, x, t, text)
    for moment in noise.GRID[1:int(torch.randint(2, 5, ()))]:
        t = noise.at(moment, BATCH)
        x = noise.add(x0, t)
        x0 = _x0(later, x, t, text)
    return [*losses, _error(student, x, t, text, x0)]


@torch.no_grad()
def _x0(unet, x: torch.Tensor, t: torch.Tensor, text) -> torch.Tensor:
    with bfloat16():
        return noise.x0_of(x, network.predict(unet, x, t, text), t)


def _error(unet, x: torch.Tensor, t: torch.Tensor, text, wanted: torch.Tensor) -> torch.Tensor:
    with bfloat16():
        eps = network.predict(unet, x, t, text)
    return F.mse_loss(noise.x0_of(x, eps, t), wanted)
