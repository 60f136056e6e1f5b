"""Knows a second distilled model of another kind: latent consistency distillation (Luo et al. 2023).

The student learns that two neighbouring points of one guided run of the base lead to the same picture. How strong the
guidance is, it is told through `time_cond_proj_dim`, so one model serves a range of guidances in one call.
"""
import torch

from . import network, noise
from .conditioning import TrainingSet
from .run import Average, bfloat16

BATCH = 32
SKIP = 20
"""How far apart neighbours lie, in times: as LCM's 50 DDIM steps."""
WEAKEST, STRONGEST = 1.0, 8.0
DATA_SIGMA, TIME_SCALE = .5, 10.0


def embed(guidance: torch.Tensor) -> torch.Tensor:
    """Sinusoids of guidance − 1, in thousandths of the period, as diffusers' get_guidance_scale_embedding. [B] → [B, 64]"""
    half = network.GUIDANCE_EMBEDDING // 2
    frequencies = torch.exp(torch.arange(half) * -(torch.log(torch.tensor(10000.0)) / (half - 1)))
    angles = (guidance - 1)[:, None] * 1000 * frequencies[None]
    return torch.cat([angles.sin(), angles.cos()], 1)


def boundary(t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How much of x_t and of the predicted x0 the answer is made of: at t = 0, of x_t alone. [B] → two of [B, 1, 1, 1]"""
    scaled = (t * TIME_SCALE).view(-1, 1, 1, 1)
    return DATA_SIGMA ** 2 / (scaled ** 2 + DATA_SIGMA ** 2), scaled / (scaled ** 2 + DATA_SIGMA ** 2).sqrt()


def consistent(unet, x: torch.Tensor, t: torch.Tensor, text, guidance: torch.Tensor) -> torch.Tensor:
    """The picture that x_t belongs to, [B, 4, 16, 16]."""
    of_x, of_x0 = boundary(t.float())
    with bfloat16():
        eps = network.predict(unet, x, t, text, embed(guidance))
    return of_x * x + of_x0 * noise.x0_of(x, eps, t)


@torch.no_grad()
def neighbour(base, x: torch.Tensor, t: torch.Tensor, to: torch.Tensor, text, guidance: torch.Tensor) -> torch.Tensor:
    """One guided DDIM step of the base from t to `to`, each picture with its own guidance. x [B, 4, 16, 16], t and to [B]"""
    doubled = tuple(torch.cat([part, torch.zeros_like(part)]) for part in text)
    with bfloat16():
        conditional, empty = network.predict(base, torch.cat([x, x]), torch.cat([t, t]), doubled).chunk(2)
    eps = empty + guidance.view(-1, 1, 1, 1) * (conditional - empty)
    return noise.add(noise.x0_of(x, eps, t), to, eps)


def student_of(base) -> torch.nn.Module:
    """The base with a projection for the guidance embedding, zero at first, so that it starts as the base."""
    student = network.new(time_cond_proj_dim=network.GUIDANCE_EMBEDDING)
    missing, unexpected = student.load_state_dict(base.state_dict(), strict=False)
    assert not unexpected and all("cond_proj" in name for name in missing), (missing, unexpected)
    torch.nn.init.zeros_(student.time_embedding.cond_proj.weight)
    return student


def huber(d: torch.Tensor, c: float = 1e-3) -> torch.Tensor:
    return ((d.pow(2) + c * c).sqrt() - c).mean()


def run(run) -> None:
    """Stage `lcm`: writes OUT/consistent/unet."""
    training, base = TrainingSet(run.out), network.load(run.out / "base")
    student = student_of(base)
    optimizer = torch.optim.AdamW(student.parameters(), lr=run.rate(3e-4), weight_decay=0., fused=True)
    average = Average(student, .95, every=1)
    run.restore(student=student, optimizer=optimizer, average=average)
    target = student_of(base).requires_grad_(False)
    for step in run.steps(optimizer):
        if step % 10 == 0:
            target.load_state_dict(average.values)
        x0, text = training.draw(BATCH)
        t = torch.randint(1, noise.STEPS // SKIP + 1, (BATCH,)) * SKIP - 1
        to = (t - SKIP).clamp(min=0)
        guidance = WEAKEST + (STRONGEST - WEAKEST) * torch.rand(BATCH)
        x = noise.add(x0, t)
        with torch.no_grad():
            wanted = consistent(target, neighbour(base, x, t, to, text, guidance), to, text, guidance)
        loss = huber(consistent(student, x, t, text, guidance) - wanted)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.)
        optimizer.step()
        average.update(student, step)
        run.say(f"loss {loss.item():.4f}")
        if run.keep(student=student, optimizer=optimizer, average=average):
            _write(run, student, average)
    run.keep(force=True, student=student, optimizer=optimizer, average=average)
    _write(run, student, average)


def _write(run, student, average) -> None:
    with average.applied(student):
        network.save(student, run.out / "consistent")
