"""Knows how prompts become what the transformer sees: a small Qwen3 behind Qwen's chat template, as ZImagePipeline has it."""
import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, Qwen3Config, Qwen3Model

from .. import data

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
VOCABULARY = 640
MOST = 32
"""Tokens of a prompt with its template; the captions of the world have fewer."""
SHAPE = {
    "hidden_size": 96, "intermediate_size": 256, "num_hidden_layers": 4, "num_attention_heads": 3, "num_key_value_heads": 3, "head_dim": 32,
    "max_position_embeddings": 64, "tie_word_embeddings": True, "rms_norm_eps": 1e-6, "use_cache": False,
}


def make_tokenizer(out: Path) -> None:
    """Byte pairs learned from the training captions, in the files of Qwen's tokenizers: OUT/flow/tokenizer."""
    captions, _ = data.load(out, data.TRAINING).said()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY - len(SPECIAL), initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([*captions, *["user\n", "assistant\n"] * len(captions)], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    first = len(model["vocab"])
    config = {
        "add_bos_token": False, "add_prefix_space": False, "added_tokens_decoder": {str(first + i): {"content": t, **flags} for i, t in enumerate(SPECIAL)},
        "bos_token": None, "chat_template": TEMPLATE, "eos_token": "<|im_end|>", "model_max_length": 512, "pad_token": "<|endoftext|>",
        "tokenizer_class": "Qwen2Tokenizer", "unk_token": None,
    }
    folder = Path(out) / "flow" / "tokenizer"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")


class Text(torch.nn.Module):
    """Prompts → features of each [tokens, 96]: the last but one layer's."""

    def __init__(self, folder: Path, encoder: Qwen3Model):
        super().__init__()
        self.tokenizer, self.encoder = AutoTokenizer.from_pretrained(Path(folder) / "tokenizer"), encoder
        self.known: dict[str, torch.Tensor] = {}

    @classmethod
    def new(cls, folder: Path):
        tokens = len(AutoTokenizer.from_pretrained(Path(folder) / "tokenizer"))
        return cls(folder, Qwen3Model(Qwen3Config(vocab_size=tokens, pad_token_id=tokens - len(SPECIAL), **SHAPE)))

    @classmethod
    def load(cls, folder: Path, trainable: bool = False):
        encoder = Qwen3Model.from_pretrained(Path(folder) / "text_encoder", torch_dtype=torch.float32)
        return cls(folder, encoder.requires_grad_(trainable))

    def save(self, folder: Path) -> None:
        self.encoder.save_pretrained(Path(folder) / "text_encoder")

    def ids(self, prompt: str) -> torch.Tensor:
        """[tokens], remembered, because a template takes longer than the encoder."""
        if prompt not in self.known:
            text = self.tokenizer.apply_chat_template([{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True)
            self.known[prompt] = torch.tensor(self.tokenizer(text).input_ids[:MOST])
        return self.known[prompt]

    def forward(self, prompts: list[str]) -> list[torch.Tensor]:
        own = [self.ids(prompt) for prompt in prompts]
        ids = torch.nn.utils.rnn.pad_sequence(own, batch_first=True)
        mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(i) for i in own], batch_first=True)
        hidden = self.encoder(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states[-2]
        return [h[: len(i)] for h, i in zip(hidden, own)]
