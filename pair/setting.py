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


CHARACTERS = Setting(world.FACTORS, world.WORDS, world.MEASURES, drawn=True)


def of(out: Path) -> Setting:
    """The setting of the data in OUT."""
    file = Path(out) / "data" / "setting.json"
    return Setting(**json.loads(file.read_text())) if file.exists() else CHARACTERS
