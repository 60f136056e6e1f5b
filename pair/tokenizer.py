"""Knows how the tokenizer is made: a CLIP-style byte pair encoding learned from the training captions."""
import json
import re
from collections import Counter

from transformers import CLIPTokenizer

from . import data, setting
from .conditioning import TOKENS

PADDING = {"tokenizer": "<|endoftext|>", "tokenizer_2": "!"}  # SDXL's two tokenizers differ in this only


def alphabet() -> list[str]:
    """A printable character for each of the 256 bytes, in CLIP's order: bytes that print stand for themselves and come first."""
    printing = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [b for b in range(256) if b not in printing]
    return [chr(b) for b in printing] + [chr(256 + i) for i in range(len(others))]


def words_of(caption: str) -> list[str]:
    """As CLIP splits a text before it merges bytes: runs of letters, digits, runs of anything else, and 's for itself."""
    return re.findall(r"'s|[^\W\d_]+|\d|[^\s\w]+|_+", caption.lower())


def learn(words: Counter, count: int) -> list[tuple[str, str]]:
    """The merges, most frequent pair first (of equals, the later in the alphabet); fewer than `count` when nothing is left to merge."""
    pieces = {w: [*w[:-1], w[-1] + "</w>"] for w in words}
    merges = []
    while len(merges) < count:
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += words[word]
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        pieces = {word: merged(parts, best) for word, parts in pieces.items()}
    return merges


def merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    out = []
    for part in parts:
        if out and (out[-1], part) == pair:
            out[-1] += part
        else:
            out.append(part)
    return out


def run(run) -> None:
    """Stage `tokenizer`."""
    captions = data.load(run.out, data.TRAINING).captions
    merges = learn(Counter(w for own in captions for c in own for w in words_of(c)), setting.of(run.out).merges)
    tokens = [*alphabet(), *(a + "</w>" for a in alphabet()), *(a + b for a, b in merges), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    for name, padding in PADDING.items():
        folder = run.out / "base" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
        (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(f"{a} {b}" for a, b in merges) + "\n")
        made = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=TOKENS, pad_token=padding)
        made.save_pretrained(folder)
        print(name, len(made), "tokens", flush=True)
