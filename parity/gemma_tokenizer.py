"""A small tokenizer in the format of Gemma's, and the ids that transformers gives prompts with it, with and without SANA's instruction; and a small
SentencePiece model with Gemma's settings, as llama.cpp keeps it in a GGUF file, with the ids that the library sentencepiece gives."""

import inspect
import io
import json
from pathlib import Path

from diffusers import SanaPipeline
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FOLDER = "tokenizers/gemma"
SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
PLAIN = ["\n\n", "▁▁"]
WORDS = [
    "a smiling red cartoon character wearing a top hat", "user prompt", "enhanced", "the user and the prompt", "detailed descriptions",
    "wow! don't, we'll", "a café",
]  # fmt: skip
INSTRUCTION = "\n".join(inspect.signature(SanaPipeline.__call__).parameters["complex_human_instruction"].default)
PROMPTS = [
    "a smiling red cartoon character wearing a top hat", "", "wow! a café, 日本語 и 🙂 hat", "don't we'll  two   spaces\n\n new line \t tab ",
    "1234 5.6e7 x²", "a <eos> in the middle <bos><pad>", "é and é, ﬁ,  , ​", "word,word ,word , _a_b_ --- ...\r\n...", "▁▁▁",
]  # fmt: skip
SIZE = 500


def bare(model):
    """The tokenizer around a model, as GemmaTokenizer has it."""
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def trained():
    tokenizer = bare(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    special = [*SPECIAL, *[f"<0x{byte:02X}>" for byte in range(256)]]
    trainer = trainers.BpeTrainer(vocab_size=SIZE, special_tokens=special, initial_alphabet=list("abcdefghijklmnopqrstuvwxyz▁"), show_progress=False)
    tokenizer.train_from_iterator([word for word in WORDS for _ in range(3)], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [tuple(pair) if isinstance(pair, list) else tuple(pair.split(" ")) for pair in model["merges"]]
    whole = bare(models.BPE(vocab=model["vocab"], merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    whole.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    whole.add_tokens([AddedToken(token, normalized=False) for token in PLAIN])
    start = model["vocab"]["<bos>"]
    whole.post_processor = processors.TemplateProcessing(single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[("<bos>", start)])
    return whole


def write(folder):
    """tokenizer.json and tokenizer_config.json, as SANA's folders have them."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "add_bos_token": True, "add_eos_token": False, "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>",
        "model_max_length": 8192, "tokenizer_class": "GemmaTokenizer",
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(trained().to_str())
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2))


def record(store):
    from transformers import AutoTokenizer

    folder = Path(store.folder) / FOLDER
    if not store.check:
        write(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    cases = [{"text": text, "ids": tokenizer(text).input_ids} for text in [*PROMPTS, *[INSTRUCTION + prompt for prompt in PROMPTS[:3]]]]
    store.put("gemma-tokenizer", {"folder": FOLDER, "cases": cases})


KINDS = {"normal": 1, "unknown": 2, "control": 3, "user": 4, "byte": 6}
"""Kinds of tokens, as llama.cpp numbers them."""


def record_pieces(store):
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(WORDS * 5), model_writer=model, vocab_size=420, model_type="bpe", byte_fallback=True, add_dummy_prefix=False,
        remove_extra_whitespaces=False, normalization_rule_name="identity", split_by_whitespace=False, character_coverage=1.0,
        user_defined_symbols=PLAIN, pad_id=0, eos_id=1, bos_id=2, unk_id=3, eos_piece="<eos>", bos_piece="<bos>", minloglevel=2,
    )  # fmt: skip
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())

    def kind(i):
        known = {"unknown": pieces.is_unknown(i), "control": pieces.is_control(i), "byte": pieces.is_byte(i), "user": pieces.id_to_piece(i) in PLAIN}
        return KINDS[next((name for name, is_so in known.items() if is_so), "normal")]

    every = range(pieces.get_piece_size())
    texts = [text for text in PROMPTS if not any(token in text for token in SPECIAL)]  # the library reads these as other characters
    store.put("gemma-pieces", {
        "tokens": [pieces.id_to_piece(i) for i in every], "scores": [pieces.get_score(i) for i in every], "kinds": [kind(i) for i in every],
        "cases": [{"text": text, "ids": pieces.encode(text, add_bos=True)} for text in [*texts, INSTRUCTION + texts[0]]],
    })  # fmt: skip
