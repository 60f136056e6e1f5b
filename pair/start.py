"""Knows the distilled model's warm start: regression on the ends of the guided base's deterministic runs.

From each of the four times the model predicts where the run arrives, so that it begins with the base's own map from
noise to picture, all of its variety included.
"""
import torch
import torch.nn.functional as F

from . import network, noise, sampling
from .conditioning import TrainingSet
from .run import Average, bfloat16

BATCH = 32
GUIDANCE = 5.0
STEPS = 8  # every time of the grid is one of them
SHARE = .4  # of the time, for making the pairs


def run(run) -> None:
    """Stage `start`: writes OUT/start/unet. The student starts from the base."""
    training, base = TrainingSet(run.out), network.load(run.out / "base")
    student = network.load(run.out / "base", trainable=True)
    optimizer = torch.optim.AdamW(student.parameters(), lr=run.rate(2e-4), weight_decay=.01, fused=True)
    average, pool = Average(student, .99), []
    run.restore(student=student, optimizer=optimizer, average=average)
    for step in run.steps(optimizer):
        if run.done < SHARE or not pool:
            _, text = training.draw(BATCH)
            x0, starts = sampling.ddim(base, torch.randn(BATCH, *network.LATENT), text, GUIDANCE, STEPS, noise.GRID)
            pool.append((starts, x0, text))
            run.say(f"{len(pool) * BATCH} pairs")
            continue
        starts, x0, text = pool[int(torch.randint(0, len(pool), ()))]
        moment = noise.GRID[int(torch.randint(0, len(noise.GRID), ()))]
        t = noise.at(moment, len(x0))
        with bfloat16():
            eps = network.predict(student, starts[moment], t, text)
        loss = F.mse_loss(noise.x0_of(starts[moment], eps, t), x0)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.)
        optimizer.step()
        average.update(student, step)
        run.say(f"from t {moment} squared error {loss.item():.4f}")
        run.keep(student=student, optimizer=optimizer, average=average)
    with average.applied(student):
        network.save(student, run.out / "start")
