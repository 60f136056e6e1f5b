"""Knows how the four-step student that stopped early learns to go on from the base's first step, as a hybrid asks of it.

On its own runs it stays what it was; on what the base hands it, it learns by regression what a student says that distribution
matching trained there (`distil --option handed=yes`).
"""
import torch
import torch.nn.functional as F

from . import network, noise
from .conditioning import TrainingSet
from .run import Average, bfloat16

BATCH = 32
OWN = .4  # batches of its own runs; the others are handed over
WEIGHT = [*(float(noise.ALPHA_BAR[t]) for t in noise.GRID[1:]), 1.]
"""Of a squared error in each row: how much of x0 the row passes on, ᾱ of the next row's time."""


def run(run) -> None:
    """Stage `handed`: writes OUT/distilled/unet. Reads both students (OUT/early and OUT/handed, each what `distil` wrote) and
    starts from the one trained on hand-offs; with --resume from the checkpoint."""
    training, base = TrainingSet(run.out), network.load(run.out / "base")
    early, handed = network.load(run.out / "early"), network.load(run.out / "handed")
    student = network.load(run.out / "handed", trainable=True)
    optimizer = torch.optim.AdamW(student.parameters(), lr=run.rate(3e-4), weight_decay=.01, fused=True)
    average = Average(student, .99)
    parts = {"student": student, "optimizer": optimizer, "average": average}
    run.restore(**parts)
    for step in run.steps(optimizer):
        _, text = training.draw(BATCH)
        own = bool(torch.rand(()) < OWN)
        row = int(torch.randint(0 if own else 1, len(noise.GRID), ()))
        loss = _loss(student, early if own else base, early if own else handed, text, row)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.)
        optimizer.step()
        average.update(student, step)
        run.say(f"error {loss.item():.5f} in row {row}{'' if own else ', handed over'}")
        run.keep(**parts)
    run.keep(force=True, **parts)
    with average.applied(student):
        network.save(student, run.out / "distilled")


def _loss(student, first, later, text, row: int) -> torch.Tensor:
    """Squared error of the student's x0 in one of the four rows, on what that row meets in a run whose first row is `first`'s and whose others are `later`'s."""
    with torch.no_grad():
        x = torch.randn(BATCH, *network.LATENT)
        wanted = _x0(first, x, 0, text)
        for i in range(1, row + 1):
            x = noise.add(wanted, noise.at(noise.GRID[i], BATCH))
            wanted = _x0(later, x, i, text)
    return WEIGHT[row] * F.mse_loss(_x0(student, x, row, text), wanted)


def _x0(unet, x: torch.Tensor, row: int, text) -> torch.Tensor:
    t = noise.at(noise.GRID[row], BATCH)
    with bfloat16():
        return noise.x0_of(x, network.predict(unet, x, t, text), t)
