"""Knows the data sets. Of characters: 24,000 to train on, more for who has learned those by heart, and others that no training ever
sees, each from its own seed. Other pictures are read from OUT, where they were written together with their setting."""
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from . import setting, world

TRAINING = {"name": "training", "seed": 1, "count": 24_000}
MORE = {"name": "more", "seed": 3, "count": 120_000}
HELD_OUT = {"name": "held-out", "seed": 2_000_003, "count": 2_048}
DRAWINGS = {"name": "drawings"}  # of emoji: pictures that no training sees, of names that it does
CAPTIONS = 3


@dataclass
class Pictures:
    """images uint8 [N, 64, 64, 3]; captions: as many for each; factors: one dict each; kinds: the values of those that are no numbers."""

    images: np.ndarray
    captions: list[list[str]]
    factors: list[dict]
    kinds: dict[str, list] = field(default_factory=lambda: world.FACTORS)

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices) -> torch.Tensor:
        """Pixels as models see them: float32 [B, 3, 64, 64] in −1…1."""
        return pixels(self.images[np.asarray(indices)])

    def values(self, factor: str) -> torch.Tensor:
        """The true value of a factor for each image: its index [N] (int64), or the number itself [N] (float32)."""
        if factor in self.kinds:
            return torch.tensor([self.kinds[factor].index(f[factor]) for f in self.factors])
        return torch.tensor([f[factor] for f in self.factors])

    def said(self) -> tuple[list[str], torch.Tensor]:
        """Every caption that occurs, sorted, and which of them are said of each image: [N, captions of an image] (int64)."""
        all_captions = sorted({c for own in self.captions for c in own})
        place = {c: i for i, c in enumerate(all_captions)}
        return all_captions, torch.tensor([[place[c] for c in own] for own in self.captions])


def pixels(images: np.ndarray) -> torch.Tensor:
    """uint8 [B, H, W, 3] → float32 [B, 3, H, W] in −1…1."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_uint8(images: torch.Tensor) -> np.ndarray:
    """float [B, 3, H, W] in −1…1 → uint8 [B, H, W, 3]."""
    return ((images.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def shifted(x: torch.Tensor, most: int) -> torch.Tensor:
    """Each image moved by up to `most` pixels both ways, its border repeated. x [B, 3, H, W]"""
    if most == 0:
        return x
    height, width = x.shape[-2:]
    wide = F.pad(x, (most,) * 4, mode="replicate")
    corners = torch.randint(0, 2 * most + 1, (len(x), 2)).tolist()
    return torch.stack([image[:, top:top + height, left:left + width] for image, (top, left) in zip(wide, corners)])


def make(seed: int, count: int) -> Pictures:
    """Draws `count` characters from one generator: factors, then the captions, character by character."""
    rng = np.random.default_rng(seed)
    images, captions, factors = np.empty((count, world.SIZE, world.SIZE, 3), np.uint8), [], []
    for i in range(count):
        f = world.sample_factors(rng)
        images[i] = world.render(f)
        factors.append(f)
        captions.append([world.caption(f, rng) for _ in range(CAPTIONS)])
    return Pictures(images, captions, factors)


def load(out: Path, which: dict) -> Pictures:
    """The data set from `out`; characters are drawn and written there when they are not there yet."""
    folder = Path(out) / "data" / which["name"]
    if not (folder / "factors.json").exists() and setting.of(out).drawn:
        folder.mkdir(parents=True, exist_ok=True)
        made = make(which["seed"], which["count"])
        np.save(folder / "images.npy", made.images)
        (folder / "captions.json").write_text(json.dumps(made.captions))
        (folder / "factors.json").write_text(json.dumps(made.factors))
    read = lambda name: json.loads((folder / name).read_text())
    return Pictures(np.load(folder / "images.npy", mmap_mode="r"), read("captions.json"), read("factors.json"), setting.of(out).factors)


def unseen(out: Path) -> dict[str, Pictures]:
    """The sets that no training sees, by their names."""
    sets = [HELD_OUT] if setting.of(out).drawn else [HELD_OUT, DRAWINGS]
    return {which["name"]: load(out, which) for which in sets}


def run(run) -> None:
    """Stage `data`: all sets of characters, with nothing else to do."""
    for which in (TRAINING, MORE, HELD_OUT):
        print(which["name"], len(load(run.out, which)), flush=True)
