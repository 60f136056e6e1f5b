"""Knows distribution matching distillation (Yin et al. 2024) in four steps, without a GAN.

The student's pictures are noised; the difference of two denoisers there (the guided base, and a fake that follows the
student's own distribution) is the gradient. Nothing in it rewards or punishes variety: what is lost is lost by the
method (reverse KL towards a guided teacher).
"""
from pathlib import Path

import torch
import torch.nn.functional as F

from . import network, noise
from .base import loss_of
from .conditioning import TrainingSet
from .run import Average, bfloat16

BATCH = 32
GUIDANCE = 5.0  # the base's own
FAKE_UPDATES = 3  # the fake learns more often than the student: two time scales
ALONE = 30  # updates of the fake before the student moves
REMEMBERED = 4  # batches of the student's pictures that the fake may see again


def student_sample(student, text, acts: int, first=None) -> torch.Tensor:
    """The student's x0 after `acts` + 1 of its four steps; only the last one carries a gradient. first: who takes the first
    of several steps instead of the student, as the base does in a hybrid. text: B encodings → [B, 4, 16, 16]."""
    x = torch.randn(len(text[0]), *network.LATENT)
    with torch.no_grad(), bfloat16():
        for i, (now, then) in enumerate(zip(noise.GRID[:acts], noise.GRID[1:])):
            t = noise.at(now, len(x))
            actor = first if first and i == 0 else student
            x = noise.add(noise.x0_of(x, network.predict(actor, x, t, text), t), noise.at(then, len(x)))
    t = noise.at(noise.GRID[acts], len(x))
    with bfloat16():
        eps = network.predict(student, x, t, text)
    return noise.x0_of(x, eps, t)


@torch.no_grad()
def gradient(base, fake, x0: torch.Tensor, text, guidance: float) -> torch.Tensor:
    """Direction in which the student's pictures are too likely, normalised per picture by its distance to the base's view. [B, 4, 16, 16]"""
    t = noise.drawn(len(x0)).clamp(20, 980)
    xt = noise.add(x0, t)
    with bfloat16():
        seen_by_fake = noise.x0_of(xt, network.predict(fake, xt, t, text), t)
        seen_by_base = noise.x0_of(xt, network.guided(base, xt, t, text, guidance), t)
    return (seen_by_fake - seen_by_base) / ((x0 - seen_by_base).abs().mean((1, 2, 3), keepdim=True) + 1e-4)


def run(run) -> None:
    """Stage `distil`: writes OUT/distilled/unet. Starts from OUT/start when it is there, else from the base; with --resume
    from the checkpoint. `--option guidance=5`. `--option handed=yes`: the base takes the first step and the student learns
    the later ones on what it is handed."""
    guidance, handed = float(run.options.get("guidance", GUIDANCE)), "handed" in run.options
    training, base = TrainingSet(run.out), network.load(run.out / "base")
    begin = run.out / "start" if (run.out / "start" / "unet").exists() else run.out / "base"
    student, fake = network.load(begin, trainable=True), network.load(run.out / "base", trainable=True)
    optimizer = torch.optim.AdamW(student.parameters(), lr=run.rate(1e-4), weight_decay=.01, betas=(.5, .99), fused=True)
    fake_optimizer = torch.optim.AdamW(fake.parameters(), lr=2 * run.rate(1e-4) + 1e-4, weight_decay=.01, betas=(.5, .99), fused=True)
    average, remembered = Average(student, .98, every=1), []
    parts = {"student": student, "fake": fake, "optimizer": optimizer, "fake_optimizer": fake_optimizer, "average": average}
    run.restore(**parts)
    for step in run.steps(optimizer, warmup=20, floor=.1):
        _, text = training.draw(BATCH)
        learns = step >= ALONE
        with torch.set_grad_enabled(learns):
            x0 = student_sample(student, text, int(torch.randint(1 if handed else 0, len(noise.GRID), ())), base if handed else None)
        if learns:
            direction = gradient(base, fake, x0.detach(), text, guidance)
            loss = .5 * F.mse_loss(x0, x0.detach() - direction)
            update(optimizer, student, loss)
            average.update(student, step)
        remembered = [*remembered, (x0.detach(), text)][-REMEMBERED:]
        for i in range(FAKE_UPDATES):
            seen, heard = remembered[-1] if i == 0 else remembered[int(torch.randint(0, len(remembered), ()))]
            fake_loss = loss_of(fake, seen, heard)
            update(fake_optimizer, fake, fake_loss)
        if learns:
            run.say(f"gradient {direction.abs().mean():.4f} fake {fake_loss.item():.4f}")
        if run.keep(**parts):
            _write(student, average, run.out)
    run.keep(force=True, **parts)
    _write(student, average, run.out)


def update(optimizer, module, loss) -> None:
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), 1.)
    optimizer.step()


def _write(student, average, out: Path) -> None:
    with average.applied(student):
        network.save(student, out / "distilled")
