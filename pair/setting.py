"""Knows what differs between the two pairs: the attributes in their data, and sizes of their networks; everything else is shared.

Pictures that are not drawn by world.py come with a setting of their own, OUT/data/setting.json, which is written with them
(packages/pair-emoji/data/render.js). Stages read it from OUT, so that a folder is about one pair.
"""
import json
from dataclasses import dataclass, field
from pathlib import Path

from . import world


@dataclass(frozen=True)
class Setting:
    factors: dict[str, list]
    """Attributes with a fixed set of values, in the order of the judge's outputs."""
    words: dict[str, dict]
    """What prompts say for a value where it is not the value itself."""
    measures: list[str] = field(default_factory=list)
    """Attributes that are numbers."""
    prompts: dict[str, dict[str, str]] | None = None
    """For each attribute a prompt that names a value and nothing else; None: those of clip.value_prompt."""
    drawn: bool = False
    """Whether world.py drew the pictures, so that parts of them can be drawn again, or left out, and be labelled where they lie."""
    shift: int = 0
    """By how many pixels pictures are moved at random where an instrument learns from them; 0 where the data is moved already."""
    merges: int = 300
    """Size of the vocabulary, as merges of the byte pair encoding."""
    unet: dict = field(default_factory=dict)
    """Changes to network.SHAPE."""
    sliders: dict[str, dict] = field(default_factory=dict)
    """For each slider the prompts `neutral`, `more` and `less`, and `strengths`: how many times the difference of the last two scale 1 moves, by model."""


SLIDERS = {
    "smile": {
        "neutral": "a cartoon character", "more": "a smiling cartoon character", "less": "a sad cartoon character",
        "strengths": {"base": 1.5, "distilled": .4},
    },
    "eye-size": {
        "neutral": "a cartoon character", "more": "a cartoon character with big eyes", "less": "a cartoon character with small eyes",
        "strengths": {"base": 3.0, "distilled": 1.0},
    },
}
"""The words for eye size say less than those for a smile, which on the base was at its end at scale 1 at a strength of 3. The distilled model's every
step moves far: at 1.5 its smile turned back at scale 2, at 0.75 it took the eyes' size along by 0.37, at 0.4 by 0.17 (measured)."""

CHARACTERS = Setting(world.FACTORS, world.WORDS, world.MEASURES, drawn=True, sliders=SLIDERS)


def of(out: Path) -> Setting:
    """The setting of the data in OUT."""
    file = Path(out) / "data" / "setting.json"
    return Setting(**json.loads(file.read_text())) if file.exists() else CHARACTERS
