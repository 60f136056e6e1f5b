"""Knows the plain recipe: distribution matching with DMD2's published ratio of the two time scales, by a count of updates.

Nothing here knows of hybrids, of diversity or of a reason to stop: the recipe was written down in pair/README.md before it
was run, and the last checkpoint is the result. Yin et al. 2024 (DMD2, arXiv 2405.14867), section 4: five updates of the fake
denoiser for one of the student, no start on the teacher's deterministic runs, steps of training on the student's own runs
("backward simulation"). Without the GAN.
"""
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from . import network
from .base import loss_of
from .conditioning import TrainingSet
from .distil import BATCH, gradient, student_sample, update
from .run import Average

GUIDANCE = 5.0  # the base's own
FAKE_UPDATES = 5
UPDATES = 3_800  # DMD2's 19,000 iterations at one student update in five
WARMUP = 20
RATE, FAKE_RATE = 1e-4, 3e-4
CURVE = [100, 200, 400, *range(800, UPDATES + 1, 400), UPDATES]
"""Updates after which the averaged student is kept, for the curve in docs/diversity.md."""


@dataclass(frozen=True)
class Process:
    """What the recipe needs of a diffusion process and its networks."""
    training: Any
    """draw(count) → latents, text."""
    load: Callable
    """load(trainable=False) → the base."""
    sample: Callable = student_sample
    """sample(student, text, acts) → x0 after `acts` + 1 of the four steps, 0…3."""
    gradient: Callable = gradient
    """gradient(base, fake, x0, text, guidance) → the direction in which x0 is too likely."""
    loss_of: Callable = loss_of
    """loss_of(model, x0, text): how the base was trained."""
    batch: int = BATCH


STEPS = 4


def variance_preserving(out) -> Process:
    return Process(TrainingSet(out), lambda trainable=False: network.load(out / "base", trainable))


def run(run) -> None:
    """Stage `plain`: writes OUT/plain/unet, and OUT/plain/curve/UPDATES/unet on the way. `--option seed=0`, `--option guidance=5`.
    With --resume: from the checkpoint. The run ends after UPDATES updates; --minutes bounds it too."""
    student = network.load(run.out / "base", trainable=True)

    def write(updates: int) -> None:
        if updates in CURVE:
            network.save(student, run.out / f"plain/curve/{updates}")
        network.save(student, run.out / "plain")

    done = distil(run, variance_preserving(run.out), student, student, RATE, UPDATES, CURVE, write)
    (run.out / "plain" / "recipe.json").write_text(json.dumps(done, indent=1) + "\n")


def distil(run, process: Process, student, trained, rate: float, updates: int, kept: list[int], write) -> dict:
    """Distribution matching of `student` towards the guided base; → what was done. trained: the module whose parameters are
    learned, the student itself or an adapter on it. write(updates): called with the averaged weights in place after each number of
    updates in `kept`, and at the end."""
    seed, guidance = int(run.options.get("seed", 0)), float(run.options.get("guidance", GUIDANCE))
    torch.manual_seed(seed)
    base, fake = process.load(), process.load(trainable=True)
    adam = {"weight_decay": .01, "betas": (.5, .99), "fused": True}
    run.take_up(student=trained, fake=fake)
    optimizer = torch.optim.AdamW(trained.parameters(), lr=rate, **adam)
    fake_optimizer = torch.optim.AdamW(fake.parameters(), lr=FAKE_RATE, **adam)
    average = Average(trained, .98, every=1)
    parts = {"student": trained, "fake": fake, "optimizer": optimizer, "fake_optimizer": fake_optimizer, "average": average}
    run.restore(**parts)
    for step in run.updates(updates, optimizer, warmup=WARMUP):
        text = process.training.draw(process.batch)[1]
        x0 = process.sample(student, text, int(torch.randint(0, STEPS, ())))
        direction = process.gradient(base, fake, x0.detach(), text, guidance)
        update(optimizer, trained, .5 * F.mse_loss(x0, x0.detach() - direction))
        average.update(trained, step)
        for _ in range(FAKE_UPDATES):
            fake_loss = process.loss_of(fake, x0.detach(), text)
            update(fake_optimizer, fake, fake_loss)
        run.say(f"gradient {direction.abs().mean():.4f} fake {fake_loss.item():.4f}")
        if step + 1 in kept:
            with average.applied(trained):
                write(step + 1)
        if run.keep(**parts):
            run.carry(student=trained, fake=fake)
    run.keep(force=True, **parts)
    run.carry(student=trained, fake=fake)
    with average.applied(trained):
        write(run.step)
    return {"seed": seed, "guidance": guidance, "updates": run.step, "fake_updates": FAKE_UPDATES, "batch": process.batch}
