"""Knows the data sets: 24,000 characters to train on, more for who has learned those by heart, and others that no training ever
sees; each from its own seed."""
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from . import world

TRAINING = {"name": "training", "seed": 1, "count": 24_000}
MORE = {"name": "more", "seed": 3, "count": 120_000}
HELD_OUT = {"name": "held-out", "seed": 2_000_003, "count": 2_048}
CAPTIONS = 3


@dataclass
class Characters:
    """images uint8 [N, 64, 64, 3]; captions: three for each; factors: one dict each."""

    images: np.ndarray
    captions: list[list[str]]
    factors: list[dict]

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices) -> torch.Tensor:
        """Pixels as models see them: float32 [B, 3, 64, 64] in −1…1."""
        return pixels(self.images[np.asarray(indices)])

    def values(self, factor: str) -> torch.Tensor:
        """The true value of a factor for each image: its index [N] (int64), or the number itself [N] (float32)."""
        if factor in world.FACTORS:
            return torch.tensor([world.FACTORS[factor].index(f[factor]) for f in self.factors])
        return torch.tensor([f[factor] for f in self.factors])


def pixels(images: np.ndarray) -> torch.Tensor:
    """uint8 [B, H, W, 3] → float32 [B, 3, H, W] in −1…1."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_uint8(images: torch.Tensor) -> np.ndarray:
    """float [B, 3, H, W] in −1…1 → uint8 [B, H, W, 3]."""
    return ((images.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def make(seed: int, count: int) -> Characters:
    """Draws `count` characters from one generator: factors, then the captions, character by character."""
    rng = np.random.default_rng(seed)
    images, captions, factors = np.empty((count, world.SIZE, world.SIZE, 3), np.uint8), [], []
    for i in range(count):
        f = world.sample_factors(rng)
        images[i] = world.render(f)
        factors.append(f)
        captions.append([world.caption(f, rng) for _ in range(CAPTIONS)])
    return Characters(images, captions, factors)


def load(out: Path, which: dict) -> Characters:
    """The data set from `out`, drawn and written there when it is not there yet."""
    folder = Path(out) / "data" / which["name"]
    if not (folder / "factors.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        made = make(which["seed"], which["count"])
        np.save(folder / "images.npy", made.images)
        (folder / "captions.json").write_text(json.dumps(made.captions))
        (folder / "factors.json").write_text(json.dumps(made.factors))
    read = lambda name: json.loads((folder / name).read_text())
    return Characters(np.load(folder / "images.npy", mmap_mode="r"), read("captions.json"), read("factors.json"))


def run(run) -> None:
    """Stage `data`: all sets, with nothing else to do."""
    for which in (TRAINING, MORE, HELD_OUT):
        print(which["name"], len(load(run.out, which)), flush=True)
