"""
Records prompts in the syntaxes of A1111 and ComfyUI: their weighted pieces, the chunks of their tokens, and their embeddings.

Written anew from what these files do, to be independent of src/text. A1111 (AUTOMATIC1111/stable-diffusion-webui 1.10):
modules/prompt_parser.py (parse_prompt_attention), modules/sd_hijack_clip.py (tokenize_line, process_tokens), modules/sd_emphasis.py
("Original"), with its default comma_padding_backtrack of 20. ComfyUI: comfy/sd1_clip.py (token_weights, tokenize_with_weights,
encode_token_weights), comfy/sdxl_clip.py.
"""

import re

import torch
from transformers import CLIPTokenizer

from .components import EMBEDDED
from .runs import component, hush

COMMA_DISTANCE, LARGE_GROUP = 20, 8

# Texts for the parsers alone; no tokenizer is needed for these.
A1111_TEXTS = [
    "", "a hat", "a (red:1.3) hat", "a (red) hat", "a ((red)) hat", "a [blue] hat", "a [[blue]] (hat", "a [blue (hat:1.5)] cat",
    "(one (two:1.2) three:0.5) four", r"a hat \(round\) \[x\] \\ \q", "a hat) and ] more (end", "(a:b:1.3)", "(word: 1.25 )", "(neg:-0.5)",
    "a BREAK b", "BREAK", "a BREAK BREAK b", "BREAKFAST é BREAK", "(a BREAK b:1.3) c", "(a)(b)", "(a:1.1)(b)", "a:b", "one\ntwo (three\n:1.5)",
    "([a])", "(((a:1.3)) [b] c (d:0.5), e, (((f))).", "(:1.5)", "a (b:+.5)",
]  # fmt: skip
COMFY_TEXTS = [
    "", "a hat", "a (red:1.3) hat", "a (red) hat", "a ((red)) hat", "((a:1.2) b:0.5) c", "(a (b) c)", r"a \(hat\) (red \(x\):1.4)", "a) (b) c", "(a",
    "(a:b:1.3)", "(:1.3)", "()", "(a: 1.25 )", "(a:1e-1)", "(a:nan b)", "(a:x)", "[a]", "a BREAK b", "((((a))))", "a\n(b:0)\nc", "(a:1_0)",
]  # fmt: skip

# Prompts for tokens and embeddings, of the embedded pair's words. Its encoders take 32 tokens, so a chunk has 30.
LONG = "a cartoon character with two big round blue eyes, a purple party hat, three small horns, antennae, white cat ears"
PROMPTS = {
    "a1111": [
        "a cartoon character", "a (red:1.4) character wearing a [top hat], ((smiling))", f"{LONG}, a teal background and a calm sad face",
        f"{LONG} with a wide square medium green head", "a cat BREAK a (yellow:0.6) hat", "BREAK (a:1.7) BREAK BREAK b", "hat " * 30 + ", cat",
        "hat " * 75, f"({LONG}:1.2), {LONG}, (no extras:-0.4)", "a, " * 24, "a (cat BREAK hat:1.3) b", "hat " * 30 + "BREAK " + "cat " * 30,
    ],
    "comfy": [
        "a cartoon character", "a (red:1.4) character wearing a (top hat:0.7), ((smiling))", f"{LONG}, a teal background and a calm sad face",
        f"(hat:1.2) {'cat ' * 26}(two big round eyes:1.5) blue", f"{'cat ' * 28}(two big eyes on a wide square green head:1.5) blue",
        "hat " * 75, f"({LONG}:1.2) {LONG} (no extras:0)", "a (cat (hat:1.6) teal:0.4) b",
    ],
}  # fmt: skip


def a1111_pieces(prompt):
    """[text, weight] by a scan for brackets; a chunk break is ["BREAK", -1]."""
    pieces, rounds, squares, at = [], [], [], 0

    def times(start, factor):
        for piece in pieces[start:]:
            piece[1] *= factor

    while at < len(prompt):
        here = prompt[at]
        number = re.match(r":\s*([+-]?[.\d]+)\s*\)", prompt[at:])
        if here == "\\":
            escaped = prompt[at + 1 : at + 2] in tuple("()[]\\")
            pieces.append([prompt[at + 1] if escaped else "", 1.0])
            at += 2 if escaped else 1
        elif here in "([":
            (rounds if here == "(" else squares).append(len(pieces))
            at += 1
        elif number and rounds:
            times(rounds.pop(), float(number[1]))
            at += number.end()
        elif here == ")" and rounds:
            times(rounds.pop(), 1.1)
            at += 1
        elif here == "]" and squares:
            times(squares.pop(), 1 / 1.1)
            at += 1
        else:
            text = number[0] if number else here if here in ")]:" else re.match(r"[^\\()\[\]:]+", prompt[at:])[0]
            first, *more = re.split(r"\s*\bBREAK\b\s*", text)
            pieces.append([first, 1.0])
            for part in more:
                pieces += [["BREAK", -1.0], [part, 1.0]]
            at += len(text)
    for start in rounds:
        times(start, 1.1)
    for start in squares:
        times(start, 1 / 1.1)
    joined = []
    for text, weight in pieces or [["", 1.0]]:
        if joined and joined[-1][1] == weight:
            joined[-1][0] += text
        else:
            joined.append([text, weight])
    return joined


def comfy_pieces(prompt):
    """[text, weight] by recursion over outermost brackets."""
    hidden = prompt.replace("\\)", "\0\1").replace("\\(", "\0\2")

    def parts(text):
        found, depth, start = [], 0, 0
        for i, c in enumerate(text):
            if c == "(" and depth == 0 and i > start:
                found.append(text[start:i])
                start = i
            depth += {"(": 1, ")": -1}.get(c, 0)
            if c == ")" and depth == 0:
                found.append(text[start : i + 1])
                start = i + 1
        return found + ([text[start:]] if start < len(text) else [])

    def weighted(text, weight):
        for part in parts(text):
            if not (len(part) > 1 and part[0] == "(" and part[-1] == ")"):
                yield [part, weight]
                continue
            inside, inner = part[1:-1], weight * 1.1
            head, colon, tail = inside.rpartition(":")
            if colon and head:
                try:
                    inner, inside = float(tail), head
                except ValueError:
                    pass
            yield from weighted(inside, inner)

    return [[text.replace("\0\1", ")").replace("\0\2", "("), weight] for text, weight in weighted(hidden, 1.0)]


def ids_of(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def a1111_chunks(tokenizer, pieces, length):
    """Lists of (id, weight)."""
    comma = tokenizer.get_vocab()[",</w>"]
    chunks, chunk, last = [], [], None
    for text, weight in pieces:
        if [text, weight] == ["BREAK", -1]:
            chunks.append(chunk)
            chunk, last = [], None
            continue
        for token in ids_of(tokenizer, text):
            full = len(chunk) == length
            if token == comma:
                last = len(chunk)
            elif full and last is not None and length - last <= COMMA_DISTANCE:
                chunks.append(chunk[: last + 1])
                chunk, last, full = chunk[last + 1 :], None, False
                full = len(chunk) == length
            if full:
                chunks.append(chunk)
                chunk, last = [], None
            chunk.append((token, weight))
    return [*chunks, chunk] if chunk or not chunks else chunks


def comfy_chunks(tokenizer, pieces, length):
    chunks = [[]]
    for text, weight in pieces:
        group = [(token, weight) for token in ids_of(tokenizer, text)]
        large = len(group) >= LARGE_GROUP
        while len(chunks[-1]) + len(group) > length:
            room = length - len(chunks[-1]) if large else 0
            chunks[-1] += group[:room]
            group = group[room:]
            chunks.append([])
        chunks[-1] += group
    return chunks


def run(encoder, tokenizer, chunk, length):
    """Hidden state before the last layer [1, L, D], and pooled text where the encoder projects it."""
    start, end, padding = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    ids = [start, *(token for token, _ in chunk), end]
    out = encoder(torch.tensor([ids + [padding] * (length + 2 - len(ids))]), output_hidden_states=True)
    return out.hidden_states[-2], getattr(out, "text_embeds", None)


def weights_of(chunk, length):
    values = [1.0, *(weight for _, weight in chunk)]
    return torch.tensor(values + [1.0] * (length + 2 - len(values)))[None, :, None]


def embedded(syntax, encoder, tokenizer, chunks, length):
    hidden, pooled = zip(*(run(encoder, tokenizer, chunk, length) for chunk in chunks), strict=True)
    if syntax == "a1111":
        scaled = [z * weights_of(chunk, length) for z, chunk in zip(hidden, chunks, strict=True)]
        states = [z * (before.mean() / z.mean()) for before, z in zip(hidden, scaled, strict=True)]
    else:
        empty, _ = run(encoder, tokenizer, [], length)
        states = [empty + (z - empty) * weights_of(chunk, length) for z, chunk in zip(hidden, chunks, strict=True)]
    return torch.cat(states, dim=1), pooled[0]


def record(store):
    hush()
    texts = {"a1111": (A1111_TEXTS, a1111_pieces), "comfy": (COMFY_TEXTS, comfy_pieces)}
    for name, (prompts, pieces) in texts.items():
        store.put(f"prompt-syntax/pieces-{name}", [{"prompt": p, "pieces": pieces(p)} for p in prompts])
    components = ["text-sdxl-1", "text-sdxl-2"]
    encoders = [component(name) for name in components]
    tokenizers = [CLIPTokenizer.from_pretrained(EMBEDDED / "base" / name) for name in ("tokenizer", "tokenizer_2")]
    length = tokenizers[0].model_max_length - 2
    for syntax, prompts in PROMPTS.items():
        chunked = {"a1111": a1111_chunks, "comfy": comfy_chunks}[syntax]
        tensors, described = {}, []
        for i, prompt in enumerate(prompts):
            chunks = chunked(tokenizers[0], texts[syntax][1](prompt), length)
            made = [embedded(syntax, e, t, chunks, length) for e, t in zip(encoders, tokenizers, strict=True)]
            tensors[f"{i}/hidden"] = torch.cat([z for z, _ in made], dim=-1)
            tensors[f"{i}/pooled"] = made[1][1]
            described.append({"prompt": prompt, "ids": [[t for t, _ in c] for c in chunks], "weights": [[w for _, w in c] for c in chunks]})
        store.put(f"prompt-syntax/{syntax}", {"components": components, "prompts": described}, tensors)
