"""A small tokenizer in the format of T5's, and the ids that transformers gives prompts with it."""

import math
from collections import Counter
from pathlib import Path

FOLDER = "tokenizers/t5"
# The same tokens as a SentencePiece model, which older folders have.
OLD_FOLDER = "tokenizers/t5-sentencepiece"
WORDS = "a smiling red cartoon character wearing a top hat . the harbour at dawn , smile smiles car art don't we'll wow !".split()
PROMPTS = [
    "a smiling red cartoon character wearing a top hat", "", "  two   spaces\n\n new line \t tab ", "the cart smiles, wow!", "DON'T we'll 1234 日本語 🙂 hat",
    "a </s> in the middle<extra_id_3> <pad>harbour", "e\u0301 and é", "▁a ▁▁ hat", "hathathat dawnharbour",
]  # fmt: skip
LENGTHS = [12, 40]


def pieces():
    """Every part of a word with at most five characters, likelier the more often it occurs; no two sums of scores are equal."""
    found = Counter()
    for word in WORDS:
        marked = f"▁{word}"
        for start in range(len(marked)):
            for end in range(start + 1, min(len(marked), start + 5) + 1):
                found[marked[start:end]] += 1
    total = sum(found.values())
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [(piece, round(math.log(n / total) - 0.000137 * i * i % 0.31, 6)) for i, (piece, n) in enumerate(ranked)]


def write(folder):
    from transformers import T5TokenizerFast

    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *pieces(), *[(f"<extra_id_{i}>", 0.0) for i in reversed(range(100))]]
    T5TokenizerFast(vocab=vocabulary, extra_ids=100, model_max_length=512).save_pretrained(folder)


def write_old(folder):
    """Without a table for the normaliser: tokens are compared, not SentencePiece's normalisation."""
    from transformers.utils import sentencepiece_model_pb2_new as messages

    model = messages.ModelProto()
    kinds = messages.ModelProto.SentencePiece
    special = [("<pad>", 0.0, kinds.CONTROL), ("</s>", 0.0, kinds.CONTROL), ("<unk>", 0.0, kinds.UNKNOWN)]
    for piece, score, kind in [*special, *[(piece, score, kinds.NORMAL) for piece, score in pieces()]]:
        model.pieces.add(piece=piece, score=score, type=kind)
    model.trainer_spec.model_type = messages.TrainerSpec.UNIGRAM
    model.trainer_spec.unk_id, model.trainer_spec.eos_id, model.trainer_spec.pad_id = 2, 1, 0
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spiece.model").write_bytes(model.SerializeToString())
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "T5Tokenizer", "extra_ids": 100}\n')


def record(store):
    from transformers import AutoTokenizer

    folder = Path(store.folder) / FOLDER
    if not store.check:
        write(folder)
        write_old(Path(store.folder) / OLD_FOLDER)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    cases = []
    for prompt in PROMPTS:
        for length in LENGTHS:
            ids = tokenizer(prompt, padding="max_length", max_length=length, truncation=True).input_ids
            dropped = max(0, len(tokenizer(prompt).input_ids) - length)
            cases.append({"prompt": prompt, "length": length, "ids": ids, "dropped": dropped})
    store.put("t5-tokenizer", {"folder": FOLDER, "size": len(tokenizer), "cases": cases})
