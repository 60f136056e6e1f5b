"""Knows how the plain recipe (pair/plain.py) runs on flow matching: its student is a LoRA on the transformer, in four Euler steps."""
import torch

from ..adapters import Adapter, save_peft
from ..plain import Process, distil
from ..run import bfloat16
from . import base, levels, network
from .text import Text

RANK = 16
UPDATES = 1_900
RATE = 5e-4
GUIDANCE = 4.0  # the base's own, as ZImagePipeline counts it: a factor of 5


class Training:
    """Latents and features of captions."""

    def __init__(self, out, text: Text):
        self.set, self.text = base.TrainingSet(out), text

    @torch.no_grad()
    def draw(self, count: int):
        x0, captions = self.set.draw(count)
        return x0, self.text(captions)


def student_sample(student, text, acts: int) -> torch.Tensor:
    """The student's x0 after `acts` + 1 of its four Euler steps; only the last one carries a gradient. text: B features → [B, 4, 16, 16]."""
    x = torch.randn(len(text), *network.LATENT)
    velocity = lambda at: network.predict(student, x, levels.at(at, len(x)), text)
    with bfloat16():
        with torch.no_grad():
            for now, then in zip(levels.GRID[:acts], levels.GRID[1:]):
                x = levels.euler(x, velocity(now), now, then)
        return levels.euler(x, velocity(levels.GRID[acts]), levels.GRID[acts], 0.0)


def gradient_with(empty: torch.Tensor):
    """pair.distil.gradient on velocities. empty: features of the empty prompt."""
    @torch.no_grad()
    def gradient(base, fake, x0: torch.Tensor, text, guidance: float) -> torch.Tensor:
        sigma = levels.drawn(len(x0)).clamp(.02, .98)
        x = levels.add(x0, sigma)
        with bfloat16():
            seen_by_fake = levels.x0_of(x, network.predict(fake, x, sigma, text), sigma)
            seen_by_base = levels.x0_of(x, network.guided(base, x, sigma, text, empty, guidance), sigma)
        return (seen_by_fake - seen_by_base) / ((x0 - seen_by_base).abs().mean((1, 2, 3), keepdim=True) + 1e-4)
    return gradient


def flow_matching(out) -> Process:
    folder = out / "flow"
    text = Text.load(folder)
    with torch.no_grad():
        empty = text([""])[0]
    load = lambda trainable=False: network.load(folder, trainable)
    return Process(Training(out, text), load, student_sample, gradient_with(empty), base.loss_of, base.BATCH)


def run(run) -> None:
    """Stage `flow-lora`: writes OUT/flow/adapters/distilled.safetensors in PEFT keys. `--option seed=0`, `--option guidance=4`."""
    run.options.setdefault("guidance", GUIDANCE)
    process = flow_matching(run.out)
    student = process.load()
    adapter = Adapter(student, "transformer", RANK, RANK)
    adapter.scale = 1.0
    write = lambda _: save_peft(adapter, run.out / "flow" / "adapters" / "distilled.safetensors", "transformer")
    done = distil(run, process, student, adapter, RATE, run.count or UPDATES, [], write)
    run.report(**done)
