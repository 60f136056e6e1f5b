"""A small tokenizer in the format of Qwen's, and the ids that transformers gives chat messages with it."""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

FOLDER = "tokenizers/qwen"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
WORDS = ["a smiling red cartoon character wearing a top hat", "the user and the assistant", "user\nassistant\n", "wow! don't, we'll"] * 3
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}"
)
PROMPTS = [
    "a smiling red cartoon character wearing a top hat", "", "wow! a café, 日本語 и 🙂 hat", "DON'T we'LL I'm  two   spaces\n\n new line \t tab ",
    "1234 5.6e7 x²", "a <|im_end|> in the middle <|endoftext|><think>", "e\u0301 and é, ﬁ, \u00a0, \u200b", "word,word ,word , _a_b_ --- ...\r\n...",
]  # fmt: skip
SIZE = 376


def trained():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=SIZE, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(WORDS, trainer)
    return json.loads(tokenizer.to_str())["model"]


def write(folder):
    """vocab.json, merges.txt and tokenizer_config.json, as Qwen's folders have them."""
    folder.mkdir(parents=True, exist_ok=True)
    model = trained()
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    first = len(model["vocab"])
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    added = {str(first + i): {"content": t, **flags, "special": i < 3} for i, t in enumerate(SPECIAL)}
    config = {
        "add_bos_token": False, "add_prefix_space": False, "added_tokens_decoder": added, "bos_token": None, "chat_template": TEMPLATE,
        "eos_token": "<|im_end|>", "model_max_length": 131072, "pad_token": "<|endoftext|>", "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }  # fmt: skip
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2))


def record(store):
    from transformers import AutoTokenizer

    folder = Path(store.folder) / FOLDER
    if not store.check:
        write(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    cases = []
    for prompt in PROMPTS:
        message = [{"role": "user", "content": prompt}]
        text = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True, enable_thinking=True)
        cases.append({"prompt": prompt, "text": text, "ids": tokenizer(text).input_ids})
    store.put("qwen-tokenizer", {"folder": FOLDER, "padding": tokenizer.pad_token_id, "cases": cases})
