"""The world: cartoon characters whose every factor is known, drawn as 64×64 RGB and described in English.

Whatever a caption leaves unsaid is free. That freedom is the diversity which a model of this world can keep or lose.
The draws from the random generator and every coordinate below are part of the world: change one, and all weights are
about another world.
"""
import numpy as np
from PIL import Image, ImageDraw

COLORS = {
    "red": (214, 58, 54), "orange": (240, 140, 40), "yellow": (244, 208, 63), "green": (76, 170, 90),
    "blue": (62, 110, 200), "purple": (140, 80, 180), "pink": (240, 140, 180), "white": (236, 236, 232),
}
BACKGROUNDS = {
    "black": (30, 30, 38), "gray": (150, 150, 156), "teal": (40, 150, 150), "beige": (232, 214, 180),
    "navy": (36, 48, 110), "mint": (170, 230, 200), "brown": (120, 84, 56), "lavender": (200, 190, 240),
}
SHAPES = ["round", "square", "tall", "wide"]
HATS = ["none", "top hat", "party hat", "crown", "cap"]
EXTRAS = ["none", "horns", "cat ears", "antennae"]
EYES = [1, 2, 3]

FACTORS = {"color": list(COLORS), "background": list(BACKGROUNDS), "shape": SHAPES, "hat": HATS, "extra": EXTRAS, "eyes": EYES}
"""The factors with a fixed set of values, in the order of the judge's outputs."""

PRIORS = {"hat": [.36, .16, .16, .16, .16], "extra": [.4, .2, .2, .2], "eyes": [.2, .6, .2]}
"""How often the world shows each value; a factor that is not listed is uniform."""

MEASURES = ["eye_size", "smile"]
"""The factors that are numbers and that the judge reads: eye size in 0…1, smile in −1 (sad)…1."""

SIZE = 64
OVERSAMPLING = 4
EYE_PLACES = {1: [0], 2: [-.4, .4], 3: [-.56, 0, .56]}  # in half widths
TIPS = {"horns": (.85, 8), "cat ears": (.85, 6), "antennae": (.8, 8)}  # half widths from the middle, units above the body
BODY = {"round": (18, 18), "square": (17, 17), "tall": (14, 22), "wide": (23, 14)}  # half width, half height


def sample_factors(rng: np.random.Generator) -> dict:
    """One character, as its factors."""
    return {
        "color": str(rng.choice(list(COLORS))),
        "background": str(rng.choice(list(BACKGROUNDS))),
        "shape": str(rng.choice(SHAPES)),
        "hat": str(rng.choice(HATS, p=PRIORS["hat"])),
        "extra": str(rng.choice(EXTRAS, p=PRIORS["extra"])),
        "eyes": int(rng.choice(EYES, p=PRIORS["eyes"])),
        "eye_size": float(rng.uniform(0, 1)),
        "smile": float(rng.uniform(-1, 1)),
        "x": float(rng.uniform(-5, 5)),
        "y": float(rng.uniform(-3, 4)),
        "scale": float(rng.uniform(.82, 1.1)),
        "tint": [float(v) for v in rng.uniform(-14, 14, 3)],
        "bg_tint": [float(v) for v in rng.uniform(-10, 10, 3)],
    }


def render(factors: dict) -> np.ndarray:
    """The picture of a character: uint8 [64, 64, 3]. Drawn four times as large, then reduced."""
    side = SIZE * OVERSAMPLING
    picture = Image.new("RGB", (side, side), _tinted(BACKGROUNDS[factors["background"]], factors["bg_tint"]))
    pen = _Pen(picture, factors)
    _extra(pen, factors)
    _body(pen, factors)
    _eyes(pen, factors)
    _mouth(pen, factors)
    _hat(pen, factors)
    return np.asarray(picture.resize((SIZE, SIZE), Image.LANCZOS), dtype=np.uint8)


def small_things(factors: dict) -> list[tuple[str, float, float]]:
    """What a picture shows that is small, and where: "eye" or the extra's name, x and y in pixels."""
    (w, h), scale = BODY[factors["shape"]], factors["scale"]
    at = lambda x, y: (SIZE / 2 + factors["x"] + x * scale, SIZE / 2 + 5 + factors["y"] + y * scale)
    found = [("eye", *at(w * x, -h * .22)) for x in EYE_PLACES[factors["eyes"]]]
    if factors["extra"] != "none":
        out, up = TIPS[factors["extra"]]
        found += [(factors["extra"], *at(side * w * out, -h - up)) for side in (-1, 1)]
    return found


class _Pen:
    """Draws in the character's own coordinates: the origin at its middle, one unit about one pixel of the final picture."""

    def __init__(self, picture: Image.Image, factors: dict):
        side = SIZE * OVERSAMPLING
        self.draw = ImageDraw.Draw(picture)
        self.unit = side / 64 * factors["scale"]
        self.cx = side / 2 + factors["x"] * OVERSAMPLING
        self.cy = side / 2 + 5 * OVERSAMPLING + factors["y"] * OVERSAMPLING
        self.fill = _tinted(COLORS[factors["color"]], factors["tint"])
        self.dark = _tinted(COLORS[factors["color"]], factors["tint"], gain=.6)
        self.line_width = max(2, int(1.2 * self.unit))
        self.w, self.h = BODY[factors["shape"]]

    def at(self, x: float, y: float) -> tuple[float, float]:
        return self.cx + x * self.unit, self.cy + y * self.unit

    def box(self, left: float, top: float, right: float, bottom: float) -> list[float]:
        return [*self.at(left, top), *self.at(right, bottom)]

    def polygon(self, points, **style):
        self.draw.polygon([self.at(*p) for p in points], **style)

    def rectangle(self, *corners, **style):
        self.draw.rectangle(self.box(*corners), **style)

    def ellipse(self, *corners, **style):
        self.draw.ellipse(self.box(*corners), **style)


def _extra(pen: _Pen, f: dict):
    w, h = pen.w, pen.h
    for s in (-1, 1):
        if f["extra"] == "horns":
            pen.polygon([(s * w * .75, -h * .55), (s * w * .3, -h * .85), (s * w * .85, -h - 8)], fill=(240, 230, 200), outline=pen.dark)
        elif f["extra"] == "cat ears":
            pen.polygon([(s * w * .95, -h * .3), (s * w * .15, -h * .85), (s * w * .85, -h - 6)], fill=pen.fill, outline=pen.dark)
        elif f["extra"] == "antennae":
            pen.draw.line([pen.at(s * w * .4, -h * .7), pen.at(s * w * .8, -h - 8)], fill=pen.dark, width=pen.line_width)
            pen.ellipse(s * w * .8 - 2, -h - 10, s * w * .8 + 2, -h - 6, fill=pen.dark)


def _body(pen: _Pen, f: dict):
    style = {"fill": pen.fill, "outline": pen.dark, "width": pen.line_width}
    if f["shape"] == "square":
        pen.draw.rounded_rectangle(pen.box(-pen.w, -pen.h, pen.w, pen.h), radius=4 * pen.unit, **style)
    else:
        pen.ellipse(-pen.w, -pen.h, pen.w, pen.h, **style)


def _eyes(pen: _Pen, f: dict):
    radius = (1.8 + 3.4 * f["eye_size"]) * {1: 1.2, 2: 1, 3: .82}[f["eyes"]]
    pupil = radius * .5
    y = -pen.h * .22
    for x in (pen.w * place for place in EYE_PLACES[f["eyes"]]):
        pen.ellipse(x - radius, y - radius, x + radius, y + radius, fill=(255, 255, 255), outline=pen.dark, width=max(1, pen.line_width // 2))
        pen.ellipse(x - pupil, y - pupil, x + pupil, y + pupil, fill=(20, 20, 26))


def _mouth(pen: _Pen, f: dict):
    smile, y, half = f["smile"], pen.h * .45, pen.w * .48
    points = [pen.at(half * a, y + smile * pen.h * .26 * (1 - a * a) - smile * pen.h * .1) for a in np.linspace(-1, 1, 17)]
    pen.draw.line(points, fill=(30, 20, 24), width=max(3, int(1.7 * pen.unit)), joint="curve")


def _hat(pen: _Pen, f: dict):
    top = -pen.h + 1
    if f["hat"] == "top hat":
        pen.rectangle(-9, top - 12, 9, top, fill=(28, 28, 34))
        pen.rectangle(-13, top - 2, 13, top + 1, fill=(28, 28, 34))
        pen.rectangle(-9, top - 5, 9, top - 2, fill=(190, 40, 50))
    elif f["hat"] == "party hat":
        pen.polygon([(-8, top + 1), (8, top + 1), (0, top - 15)], fill=(250, 90, 160), outline=(255, 240, 120))
        pen.ellipse(-2.4, top - 17, 2.4, top - 12.4, fill=(255, 240, 120))
    elif f["hat"] == "crown":
        spikes = [(-10, top + 1), (-11, top - 10), (-5, top - 4), (0, top - 11), (5, top - 4), (11, top - 10), (10, top + 1)]
        pen.polygon(spikes, fill=(250, 200, 40), outline=(170, 120, 10))
    elif f["hat"] == "cap":
        pen.draw.pieslice(pen.box(-11, top - 9, 11, top + 11), 180, 360, fill=(50, 120, 220))
        pen.rectangle(0, top - .5, 17, top + 2, fill=(36, 90, 180))


def _tinted(rgb, tint, gain: float = 1.0) -> tuple[int, ...]:
    return tuple(int(np.clip(c * gain + t, 0, 255)) for c, t in zip(rgb, tint))


WORDS = {
    "hat": {"none": "no hat"}, "extra": {"none": "no extras"},
    "eyes": {1: "one eye", 2: "two eyes", 3: "three eyes"},
}
"""What captions say where it is not the value itself."""


def word(factor: str, value) -> str:
    return str(WORDS.get(factor, {}).get(value, value))


def caption(f: dict, rng: np.random.Generator) -> str:
    """A description that names about half of the factors; one in eight names none. Whether a factor is named hangs on nothing
    but the draw: what is absent or ordinary is said as often as what is not, so that silence tells nothing."""
    say = lambda: rng.uniform() < .5
    if rng.uniform() < .12:
        return "a cartoon character"
    adjectives = []
    if say():
        adjectives.append(_third(f["smile"], .35, "sad", "calm", "smiling"))
    if say():
        adjectives.append(f["shape"])
    if say():
        adjectives.append(f["color"])
    noun = " ".join([*adjectives, "cartoon character"])
    text = f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
    parts = []
    if say():
        parts.append(_third(f["eye_size"] - .5, .18, "small eyes", "medium eyes", "big eyes"))
    if say():
        parts.append(word("eyes", f["eyes"]))
    if say():
        parts.append(word("extra", f["extra"]))
    if parts:
        text += " with " + " and ".join(parts)
    if say():
        text += f" wearing {'' if f['hat'] == 'none' else 'a '}{word('hat', f['hat'])}"
    if say():
        text += f" on a {f['background']} background"
    return text


def _third(value: float, limit: float, low: str, middle: str, high: str) -> str:
    return middle if abs(value) <= limit else high if value > 0 else low
