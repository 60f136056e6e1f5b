"""Knows the first distilled model as a LoRA on the base, trained as such, so that one set of weights serves both."""
import torch
import torch.nn.functional as F

from . import network, noise
from .adapters import Adapter, save_peft
from .base import loss_of
from .conditioning import TrainingSet
from .distil import FAKE_UPDATES, GUIDANCE, gradient, student_sample
from .run import bfloat16
from .sampling import acting, four_steps

BATCH = 32
RANK = 16
IMITATION = .5
"""The share of the time in which the adapter learns to repeat the distilled model, step by step, before it is distilled itself."""


def run(run) -> None:
    """Stage `lora`: writes OUT/adapters/distilled.safetensors in PEFT keys."""
    training, base, teacher = TrainingSet(run.out), network.load(run.out / "base"), network.load(run.out / "distilled")
    student, fake = network.load(run.out / "base"), network.load(run.out / "distilled", trainable=True)
    adapter = Adapter(student, "everything", RANK, RANK)
    adapter.scale = 1.0
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=run.rate(5e-4), weight_decay=0., betas=(.5, .99))
    fake_optimizer = torch.optim.AdamW(fake.parameters(), lr=2e-4, weight_decay=.01, betas=(.5, .99))
    parts = {"adapter": adapter, "fake": fake, "optimizer": optimizer, "fake_optimizer": fake_optimizer}
    run.restore(**parts)
    for _ in run.steps(optimizer):
        _, text = training.draw(BATCH)
        if run.done < IMITATION:
            loss = imitation(student, teacher, text)
            x0 = None
        else:
            x0 = student_sample(student, text, int(torch.randint(0, len(noise.GRID), ())))
            loss = .5 * F.mse_loss(x0, x0.detach() - gradient(base, fake, x0.detach(), text, GUIDANCE))
        _step(optimizer, adapter, loss)
        for _ in range(FAKE_UPDATES if x0 is not None else 0):
            _step(fake_optimizer, fake, loss_of(fake, x0.detach(), text))
        run.say(f"{'imitation' if x0 is None else 'distribution matching'} {loss.item():.4f}")
        run.keep(**parts)
    run.keep(force=True, **parts)
    save_peft(adapter, run.out / "adapters" / "distilled.safetensors")


def imitation(student, teacher, text) -> torch.Tensor:
    """Squared error of x0 at one of the teacher's own four steps."""
    acts = int(torch.randint(0, len(noise.GRID), ()))
    x = torch.randn(len(text[0]), *network.LATENT)
    if acts:
        x0, _ = four_steps([acting(teacher)] * acts, x, text)
        x = noise.add(x0, noise.at(noise.GRID[acts], len(x)))
    t = noise.at(noise.GRID[acts], len(x))
    with bfloat16():
        with torch.no_grad():
            wanted = noise.x0_of(x, network.predict(teacher, x, t, text), t)
        return F.mse_loss(noise.x0_of(x, network.predict(student, x, t, text), t), wanted)


def _step(optimizer, module, loss) -> None:
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), 1.)
    optimizer.step()
