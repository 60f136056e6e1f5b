"""Records the ids that transformers' CLIP tokenizers give, with the embedded tokenizers, in both layouts of their files."""

import shutil
import tempfile
from pathlib import Path

from transformers import CLIPTokenizer
from transformers.utils import logging

EMBEDDED = Path(__file__).parent.parent / "embedded" / "base"

WORDS = "a cartoon character wearing a top hat on a teal background"

PROMPTS = [
    # What the world of the pair is described by.
    WORDS,
    "a smiling cartoon character on a teal background",
    "cartoon character",
    "a",
    "A CARTOON Character Wearing A TOP HAT",
    "round character with a scarf",
    # Nothing, and white space.
    "",
    " ",
    "   ",
    "\n",
    "\t a\tcartoon\n\ncharacter  ",
    "a\u00a0cartoon\u00a0character",
    "a\u3000cartoon\u2003character",
    "a\u200bcartoon",
    "a\r\ncartoon\x0bcharacter\x0c",
    "\ufeffa cartoon",
    # The padding token of tokenizer_2, which makes every one of them a special token.
    "!",
    "!!",
    "!!!",
    "a cartoon!",
    "a cartoon !",
    "! a cartoon",
    "hat!hat",
    "wow!! a !cartoon! character !",
    "a ! b",
    # Special tokens as text.
    "<|endoftext|>",
    "<|startoftext|>",
    "a <|endoftext|> cartoon",
    "a<|endoftext|>cartoon",
    "<|startoftext|>a cartoon<|endoftext|>",
    "<|ENDOFTEXT|>",
    "< |endoftext|>",
    "<|endoftext|",
    "a <|endoftext|> cartoon <|endoftext|> character",
    "</w>",
    "a</w> cartoon",
    # Punctuation.
    ".",
    "a cartoon, a character; a hat: \"top\" (tall) [wide] {odd}",
    "hello...world",
    "a-b_c/d\\e|f",
    "!?",
    "?!",
    "#$%&*+=@^`~",
    "\u201ca cartoon\u201d \u2018character\u2019 \u2014 hat\u2026",
    "<lora:name:0.8>",
    "(hat:1.3)",
    # Numbers.
    "0",
    "1234567890",
    "3 hats, 12 scarves",
    "1,000.50",
    "a1b2c3",
    "\u00bd \u2167 \u0663 \u00b2",
    # Contractions.
    "it's",
    "don't won't can't",
    "I'm you're he's we've they'll she'd",
    "IT'S DON'T",
    "'s 't 're 've 'm 'll 'd",
    "the cartoons' hats",
    "it\u2019s",
    "rock 'n' roll",
    # Accents, composed and not.
    "caf\u00e9",
    "cafe\u0301",
    "\u00e0\u00e9\u00ee\u00f5\u00fc \u00f1 \u00e7 \u00df \u00f8 \u00e5 \u0153 \u00e6",
    "\u00c0\u00c9\u00ce\u00d5\u00dc \u1e9e \u0130 I",
    "stra\u00dfe STRASSE",
    "\u212bngstr\u00f6m \u00c5 A\u030a",
    "Z\u0351\u036b\u0343algo",
    "\ufb01ne \ufb02ow",
    # Scripts.
    "\u4e00\u53ea\u5361\u901a\u89d2\u8272",
    "\u732b",
    "\u5361\u901a cartoon \u89d2\u8272",
    "\u306d\u3053\u306e\u30ad\u30e3\u30e9\u30af\u30bf\u30fc",
    "\uff8a\uff9f\uff70\uff83\uff68",
    "\uce90\ub9ad\ud130",
    "\u1100\u1161\u11a8",
    "\u043c\u0443\u043b\u044c\u0442\u044f\u0448\u043d\u044b\u0439 \u041f\u0415\u0420\u0421\u041e\u041d\u0410\u0416",
    "\u03a3\u039f\u03a6\u039f\u03a3 \u03c3\u03bf\u03c6\u03cc\u03c2",
    "\u0634\u062e\u0635\u064a\u0629 \u0643\u0631\u062a\u0648\u0646\u064a\u0629",
    "\u05d3\u05de\u05d5\u05ea \u05de\u05e6\u05d5\u05d9\u05e8\u05ea",
    "\u0915\u093e\u0930\u094d\u091f\u0942\u0928 \u0915\u093f\u0930\u0926\u093e\u0930",
    "\u0e15\u0e31\u0e27\u0e01\u0e32\u0e23\u0e4c\u0e15\u0e39\u0e19",
    # Emoji, with joiners, tones, flags and key caps.
    "\U0001f600",
    "a \U0001f3a9 hat",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\U0001f44d\U0001f3fd",
    "\U0001f1eb\U0001f1f7",
    "1\ufe0f\u20e3 \u2764\ufe0f",
    "\U0001f600\U0001f600\U0001f600",
    "hat\U0001f3a9hat",
    # Beyond the basic plane, control and private characters, unpaired things.
    "\U0001d4d2\U0001d4ea\U0001d4fb",
    "\u0007bell",
    "\ue000",
    "\u0000",
    "a\u00adb",
    "e\u0301\u0301",
    # What cleaning code might touch.
    "&lt;hat&gt; &amp; co",
    "<b>cartoon</b>",
    "http://example.org/a?b=c&d=e",
    "name@example.org",
    "C:\\hats\\top.png",
    # Too long, at the limit, and around it.
    " ".join(["cartoon"] * 29),
    " ".join(["cartoon"] * 30),
    " ".join(["cartoon"] * 31),
    " ".join(["character"] * 80),
    "a " * 200,
    "x" * 100,
    "!" * 29,
    "!" * 40,
    "\U0001f600" * 20,
    (WORDS + ", ") * 6,
    "a cartoon " * 14 + "a <|endoftext|>",
]


def encode(tokenizer, prompt):
    """Ids as diffusers asks for them, and how many words did not fit."""
    ids = tokenizer(
        prompt, padding="max_length", max_length=tokenizer.model_max_length, truncation=True
    ).input_ids
    whole = tokenizer(prompt, padding=False, truncation=False).input_ids
    return {"ids": ids, "truncated": max(0, len(whole) - tokenizer.model_max_length)}


def old_layout(folder, into):
    """The same tokenizer as older files have it: vocab.json and merges.txt, no tokenizer.json."""
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        shutil.copy(folder / name, into / name)
    return into


def record(store):
    logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as temp:
        recorded = {}
        for name in ("tokenizer", "tokenizer_2"):
            old = Path(temp) / name
            old.mkdir()
            recorded[name] = {
                "tokenizer.json": CLIPTokenizer.from_pretrained(EMBEDDED / name),
                "vocab.json": CLIPTokenizer.from_pretrained(old_layout(EMBEDDED / name, old)),
            }
        entries = []
        for prompt in PROMPTS:
            entry = {"prompt": prompt}
            for name, layouts in recorded.items():
                new, old = encode(layouts["tokenizer.json"], prompt), encode(layouts["vocab.json"], prompt)
                entry[name] = new
                if old != new:
                    entry[f"{name} from vocab.json"] = old
            entries.append(entry)
    store.put("tokenizer", {"folder": "embedded/base", "prompts": entries})
