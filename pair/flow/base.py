"""Knows how the base is trained by flow matching: velocities of latents, the text encoder with the transformer, captions emptied for guidance."""
import random

import torch

from .. import conditioning, data
from ..run import Average, bfloat16, descend
from . import levels, network
from .text import Text, make_tokenizer

BATCH = 16
DROPPED = .12


class TrainingSet:
    """Latents of the training images, and their captions."""

    def __init__(self, out):
        pictures = data.load(out, data.TRAINING)
        self.latents, self.captions = conditioning.latents(out, pictures), pictures.captions

    def draw(self, count: int, drop: float = 0.0) -> tuple[torch.Tensor, list[str]]:
        """`count` latents [B, 4, 16, 16] with one of their captions each; a share `drop` of these is empty."""
        which = torch.randint(0, len(self.latents), (count,))
        said = ["" if random.random() < drop else random.choice(self.captions[i]) for i in which.tolist()]
        return self.latents[which].float(), said


def loss_of(model, x0: torch.Tensor, text: list[torch.Tensor], sigma: torch.Tensor | None = None) -> torch.Tensor:
    """Squared error of velocities at random levels. x0 [B, 4, 16, 16]."""
    sigma = levels.drawn(len(x0)) if sigma is None else sigma
    eps = torch.randn_like(x0)
    with bfloat16():
        velocity = network.predict(model, levels.add(x0, sigma, eps), sigma, text)
    return (velocity - (eps - x0)).pow(2).mean()


def run(run) -> None:
    """Stage `flow-base`: writes OUT/flow/tokenizer, text_encoder and transformer; needs base/vae and data. With --resume: from the checkpoint, or
    from the weights in OUT/flow at the step in progress.json."""
    folder = run.out / "flow"
    if not (folder / "tokenizer" / "vocab.json").exists():
        make_tokenizer(run.out)
    training = TrainingSet(run.out)
    from_weights = run.resume and (folder / "transformer" / "config.json").exists()
    model = network.load(folder, trainable=True) if from_weights else network.new()
    text = Text.load(folder, trainable=True) if from_weights else Text.new(folder)
    both = torch.nn.ModuleDict({"transformer": model, "text": text})
    optimizer = torch.optim.AdamW(both.parameters(), lr=run.rate(1e-3), weight_decay=.01, betas=(.9, .99), fused=True)
    average = Average(both, .9985)
    parts = {"models": both, "optimizer": optimizer, "average": average}
    if not run.restore(**parts) and from_weights:
        run.go_on()
    random.seed(run.step)

    def loss():
        x0, captions = training.draw(BATCH, DROPPED)
        return loss_of(model, x0, text(captions))

    def write():
        network.save(model, folder)
        text.save(folder)

    descend(run, both, parts, loss, write, warmup=500)
