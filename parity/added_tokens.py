"""Records the ids of prompts with added tokens: special tokens as old and new files declare them, and textual inversion's."""

import json
import shutil
import tempfile
from pathlib import Path

from diffusers.loaders import TextualInversionLoaderMixin
from transformers import CLIPTokenizer
from transformers.utils import logging

from .prompts import EMBEDDED, encode

START, END = "<|startoftext|>", "<|endoftext|>"
FIRST, LAST, NEXT = 657, 658, 659


def token(content, **flags):
    return {"content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False, **flags}


def typed(content, **flags):
    return {"__type": "AddedToken", **token(content, **flags)}


def decoder(*tokens):
    """added_tokens_decoder: flags by id."""
    return {str(number): entry for number, entry in tokens}


# --- files -----------------------------------------------------------------------------------------------------------

# As Stable Diffusion 1.5 has them: tokens with flags in both files, the padding as a string.
SD15_CONFIG = {
    "add_prefix_space": False, "bos_token": typed(START), "do_lower_case": True, "eos_token": typed(END),
    "errors": "replace", "model_max_length": 32, "pad_token": END, "tokenizer_class": "CLIPTokenizer", "unk_token": typed(END),
}  # fmt: skip
SD15_MAP = {"bos_token": token(START), "eos_token": token(END), "pad_token": END, "unk_token": token(END)}
SD15 = {"tokenizer_config.json": SD15_CONFIG, "special_tokens_map.json": SD15_MAP}
# As SDXL's second tokenizer has them.
XL2 = {"tokenizer_config.json": {**SD15_CONFIG, "pad_token": "!"}, "special_tokens_map.json": {**SD15_MAP, "pad_token": "!"}}
# As transformers 4.34 and later write them.
NEW_CONFIG = {"bos_token": START, "eos_token": END, "model_max_length": 32, "pad_token": "!", "unk_token": END}
NEW = [(0, token("!", normalized=False, special=True)), (FIRST, token(START, special=True)), (LAST, token(END, special=True))]

SPECIALS = [
    "a <|endoftext|>  b", " <|endoftext|> ", "a<|ENDOFTEXT|>b", "<|StartOfText|> hat", "<|endoftext|>!", "wow! !",
    "! a ! b!", "<|endoftext|><|endoftext|>",
]  # fmt: skip

FILES = {
    "sd15": ("tokenizer", SD15, SPECIALS),
    "sd15-no-map": ("tokenizer", {"tokenizer_config.json": SD15_CONFIG}, SPECIALS),
    "sd15-no-config": ("tokenizer", {"special_tokens_map.json": SD15_MAP}, SPECIALS),
    "sdxl-2": ("tokenizer_2", XL2, SPECIALS),
    "map-over-config": ("tokenizer", {**SD15, "special_tokens_map.json": {**SD15_MAP, "pad_token": token("!")}}, SPECIALS),
    "decoder": ("tokenizer_2", {"tokenizer_config.json": {**NEW_CONFIG, "added_tokens_decoder": decoder(*NEW)}}, SPECIALS),
    # Of the tokens without an id, strings and objects are told apart; the later kind decides.
    "mixed": (
        "tokenizer",
        {"tokenizer_config.json": {**SD15_CONFIG, "bos_token": START, "eos_token": END, "unk_token": typed(END), "pad_token": END}},
        SPECIALS,
    ),
    # The map is not read beside a decoder.
    "decoder-over-map": (
        "tokenizer_2",
        {"tokenizer_config.json": {**NEW_CONFIG, "added_tokens_decoder": decoder(*NEW)}, "special_tokens_map.json": {**SD15_MAP, "pad_token": "a</w>"}},
        SPECIALS,
    ),
    # Pipelines that were saved with embeddings in them.
    "saved-decoder": (
        "tokenizer",
        {"tokenizer_config.json": {**NEW_CONFIG, "added_tokens_decoder": decoder(
            *NEW, (NEXT, token("<toy>", special=False)), (NEXT + 1, token("<Toy-2>", normalized=False, special=False)))}},
        [*SPECIALS, "a <toy>", "<TOY>s", "<toy-2> <Toy-2>"],
    ),
    "saved-json": (
        "tokenizer",
        {**SD15, "added_tokens.json": {"<toy>": NEXT, "<Toy-2>": NEXT + 1}},
        [*SPECIALS, "a <toy>", "<TOY>s", "<toy-2> <Toy-2>"],
    ),
    "saved-tokenizer": (
        "tokenizer",
        {"tokenizer_config.json": {**NEW_CONFIG, "pad_token": END}, "tokenizer.json": [
            {"id": FIRST, **token(START, special=True)}, {"id": LAST, **token(END, special=True)},
            {"id": NEXT, **token("<toy>", special=False)}]},
        [*SPECIALS, "a <toy>", "<TOY>s"],
    ),
}  # fmt: skip


def write_files(folder, base, files):
    """A tokenizer folder with the embedded vocabulary; of tokenizer.json only `added_tokens` is given."""
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(EMBEDDED / base / name, folder / name)
    for name, content in files.items():
        if name == "tokenizer.json":
            content = {**json.loads((EMBEDDED / base / name).read_text()), "added_tokens": content}
        (folder / name).write_text(json.dumps(content))
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    # Without a config there is no length; the text encoder has 32 positions.
    tokenizer.model_max_length = min(tokenizer.model_max_length, 32)
    return tokenizer


# --- textual inversion -------------------------------------------------------------------------------------------------

LONG = " ".join(["cartoon"] * 28)

EMBEDDINGS = {
    "overlapping": (
        {"cat": 1, "catz": 1, "zcat": 1, "tzo": 1, "catzogo": 1},
        ["cat", "catz", "a catz", "cat catz catzz", "zcatz", "CATZ Cat", "wildcat", "catzo", "catzog", "catzogo", "cattzo",
         "cat!catz", "ca tz", "catcatzcatzogozcat"],
    ),
    "vectors": (
        {"<pip>": 3, "<pippi>": 2, "pop": 1},
        ["a <pip> wearing a hat", "<pippi>", "<pip> and <pippi>", "<pip>_1", "the <pip>_2!", "<pippi>_2", "x<pip>y", "<pip><pip>",
         "<pip>pop<pippi>", "<pip", "pip>", f"{LONG} <pip>", f"{LONG} a <pip> hat", f"{LONG} a hat <pip>"],
    ),
    "inside-words": (
        {"zog": 1, "<x>": 2, "it's": 1},
        ["zog", "zogzog", "azogb", "ZOG's hat", "zog1", "1zog,zog", "za<x>pp", "it's", "it's's", "don'tit's", "z og", "zo\u00adg",
         "zog\u0301", "\u200bzog\u200b", "zog\ufe0f"],
    ),
    "white-space": (
        {"<big hat>": 1, " zig": 1, "zag ": 1},
        ["<big hat>", "<big  hat>", "<big\that>", "<big\u00a0hat>", "<big\n\nhat>", "  <big hat>  ", "\n<big hat>\n", "a zig", "zig",
         "a  zig", "zag b", "zag", "zag  b", "zag zig", "a <big hat><|endoftext|> <big hat>", "<bighat>"],
    ),
    "letters": (
        {"<caf\u00e9>": 1, "\u732b": 1, "Stra\u00dfe": 1, "\u03a3\u039f\u03a6\u039f\u03a3": 1, "\U0001f3a9": 2, "\u0130zmir": 1, "zap-2": 1},
        ["<caf\u00e9>", "<cafe\u0301>", "<CAF\u00c9>", "<cafe>", "\u732b", "\u732b\u732b x\u732b", "STRASSE", "stra\u00dfe", "STRA\u1e9eE",
         "\u03c3\u03bf\u03c6\u03bf\u03c3", "\u03c3\u03bf\u03c6\u03bf\u03c2", "\u03a3\u039f\u03a6\u039f\u03a3 \u03a3\u039f\u03a6\u039f\u03a3\u03a3",
         "a\U0001f3a9b", "\U0001f3a9\U0001f3a9", "\u0130zmir", "i\u0307zmir", "izmir", "zap-2", "zap-22", "zap -2"],
    ),
}  # fmt: skip
PADDED = ["<pip>!", "!<pip>!!", "wow! <pip> !", "<pip>!<pip>", "!", ""]


def with_embeddings(tokenizer, embeddings):
    """As load_textual_inversion does: one token for each vector."""
    for name, vectors in embeddings.items():
        for i in range(vectors):
            tokenizer.add_tokens(name if i == 0 else f"{name}_{i}")
    return tokenizer


def encoded(tokenizer, prompts):
    convert = TextualInversionLoaderMixin().maybe_convert_prompt
    return [{"prompt": prompt, **encode(tokenizer, convert(prompt, tokenizer))} for prompt in prompts]


def record(store):
    logging.set_verbosity_error()
    cases = []
    for name, (base, files, prompts) in FILES.items():
        with tempfile.TemporaryDirectory() as folder:
            tokenizer = write_files(Path(folder), base, files)
            cases.append({"name": name, "base": base, "files": files, "embeddings": {}, "prompts": encoded(tokenizer, prompts)})
    for name, (embeddings, prompts) in [*EMBEDDINGS.items(), ("padding", ({"<pip>": 2}, PADDED))]:
        for base in ("tokenizer", "tokenizer_2"):
            with tempfile.TemporaryDirectory() as folder:
                files = SD15 if base == "tokenizer" else XL2
                tokenizer = with_embeddings(write_files(Path(folder), base, files), embeddings)
                cases.append({"name": f"{name}, {base}", "base": base, "files": files, "embeddings": embeddings,
                              "prompts": encoded(tokenizer, prompts)})  # fmt: skip
    store.put("added-tokens", {"folder": "embedded/base", "cases": cases})
