"""Knows how prompts and pictures become what the UNet sees: two text encoders side by side, and scaled latents."""
import zlib
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from . import data
from .run import bfloat16

TOKENS = 32


@dataclass
class Text:
    """The two tokenizers and encoders of the base, in SDXL's arrangement."""

    tokenizers: tuple
    encoders: tuple

    @staticmethod
    def load(base: Path) -> "Text":
        base = Path(base)
        tokenizers = tuple(CLIPTokenizer.from_pretrained(base / name) for name in ("tokenizer", "tokenizer_2"))
        first = CLIPTextModel.from_pretrained(base / "text_encoder", torch_dtype=torch.float32)
        second = CLIPTextModelWithProjection.from_pretrained(base / "text_encoder_2", torch_dtype=torch.float32)
        return Text(tokenizers, (first.eval().requires_grad_(False), second.eval().requires_grad_(False)))

    @torch.no_grad()
    def encode(self, prompts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """B prompts → hidden [B, 32, 64 + 96] (both encoders' last but one layer), pooled [B, 64] (the second's projection)."""
        ids = [t(prompts, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt").input_ids for t in self.tokenizers]
        first, second = (e(i, output_hidden_states=True) for e, i in zip(self.encoders, ids))
        return torch.cat([first.hidden_states[-2], second.hidden_states[-2]], -1), second.text_embeds


def autoencoder(base: Path) -> AutoencoderKL:
    return AutoencoderKL.from_pretrained(Path(base) / "vae", torch_dtype=torch.float32).eval().requires_grad_(False)


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: torch.Tensor, batch: int = 64) -> torch.Tensor:
    """latents [B, 4, 16, 16] → images [B, 3, 64, 64] in −1…1."""
    return torch.cat([vae.decode(z / vae.config.scaling_factor).sample.clamp(-1, 1) for z in latents.split(batch)])


@torch.no_grad()
def encode(vae: AutoencoderKL, images: torch.Tensor) -> torch.Tensor:
    """images [B, 3, 64, 64] → the means of their latents, scaled [B, 4, 16, 16]."""
    return vae.encode(images).latent_dist.mean * vae.config.scaling_factor


def latents(out: Path, pictures: data.Pictures) -> torch.Tensor:
    """Scaled latents of pictures by OUT's autoencoder [N, 4, 16, 16], kept in half precision under OUT."""
    vae = autoencoder(Path(out) / "base")

    @torch.no_grad()
    def encode_all():
        with bfloat16(False):
            parts = [encode(vae, pictures.batch(range(i, min(i + 64, len(pictures))))) for i in range(0, len(pictures), 64)]
        return torch.cat(parts).half()
    return _remembered(Path(out) / "latents", [vae.encoder, vae.quant_conv], encode_all)


class TrainingSet:
    """Latents of the training images and encodings of every caption that occurs, kept in half precision under OUT."""

    def __init__(self, out: Path):
        pictures, out = data.load(out, data.TRAINING), Path(out)
        self.latents = latents(out, pictures)
        self.captions, self.caption = pictures.said()
        self.hidden, self.pooled = self._text(out)

    def __len__(self) -> int:
        return len(self.latents)

    def _text(self, out: Path) -> tuple[torch.Tensor, torch.Tensor]:
        text = Text.load(out / "base")

        def encode_all():
            parts = [text.encode(self.captions[i:i + 256]) for i in range(0, len(self.captions), 256)]
            return [torch.cat(p).half() for p in zip(*parts)]
        return _remembered(out / "captions", text.encoders, encode_all)

    def draw(self, count: int, drop: float = 0.0) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """`count` latents [B, 4, 16, 16] with the encodings of one of their captions; a share `drop` of them is emptied to zeros."""
        which = torch.randint(0, len(self), (count,))
        caption = self.caption[which, torch.randint(0, self.caption.shape[1], (count,))]
        keep = (torch.rand(count) >= drop).float()
        text = self.hidden[caption].float() * keep[:, None, None], self.pooled[caption].float() * keep[:, None]
        return self.latents[which].float(), text


def _remembered(place: Path, models, make):
    """What `make` returns, from a file at `place` marked with the weights it was made by, where there is one."""
    mark = 0
    for tensor in (t for model in models for t in model.state_dict().values()):
        mark = zlib.crc32(tensor.contiguous().numpy(), mark)
    file = place.with_suffix(f".{mark:08x}.pt")
    if file.exists():
        return torch.load(file, weights_only=True)
    made = make()
    torch.save(made, file)
    return made
