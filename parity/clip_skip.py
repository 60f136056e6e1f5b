"""Records prompt embeddings as diffusers' encode_prompt gives them at every clip skip, of text encoders with one layer and more."""

from types import SimpleNamespace

import diffusers
import torch
from transformers import CLIPTokenizer

from .components import EMBEDDED
from .runs import component, hush

PROMPTS = ["a cartoon character wearing a top hat", "wow! " * 20]

# Text encoders of a pipeline, and the clip skips that it takes: hidden_states[0], the embeddings, at the last.
CASES = {
    "sd-1": (["text-one-layer"], 1),
    "sd-3": (["text-sd2"], 3),
    "sdxl-1": (["text-one-layer", "text-one-layer-projection"], 0),
    "sdxl-3": (["text-sdxl-1", "text-sdxl-2"], 2),
    "sdxl-1-and-4": (["text-one-layer", "text-sdxl-2"], 0),
}


def pipeline_of(names):
    """A pipeline that has no more than encode_prompt needs."""
    encoders = [component(name) for name in names]
    tokenizers = [CLIPTokenizer.from_pretrained(EMBEDDED / "base" / name) for name in ("tokenizer", "tokenizer_2")]
    for encoder in encoders:
        # transformers 5 has no text_model any more, where diffusers looks for the norm.
        if not hasattr(encoder, "text_model"):
            object.__setattr__(encoder, "text_model", SimpleNamespace(final_layer_norm=encoder.final_layer_norm))
    if len(encoders) == 1:
        return diffusers.StableDiffusionPipeline(
            vae=None, text_encoder=encoders[0], tokenizer=tokenizers[0], unet=None, scheduler=None, safety_checker=None,
            feature_extractor=None, requires_safety_checker=False,
        )  # fmt: skip
    return diffusers.StableDiffusionXLPipeline(
        vae=None, text_encoder=encoders[0], text_encoder_2=encoders[1], tokenizer=tokenizers[0], tokenizer_2=tokenizers[1],
        unet=None, scheduler=None,
    )  # fmt: skip


def encode(pipe, skip):
    """Hidden states [prompts, L, D], and pooled text where the family has it."""
    shared = {"prompt": PROMPTS, "device": torch.device("cpu"), "num_images_per_prompt": 1, "clip_skip": skip or None}
    encoded = pipe.encode_prompt(**shared, do_classifier_free_guidance=False)
    if isinstance(pipe, diffusers.StableDiffusionXLPipeline):
        return {"hidden": encoded[0], "pooled": encoded[2]}
    return {"hidden": encoded[0]}


def record(store):
    hush()
    for name, (encoders, most) in CASES.items():
        pipe = pipeline_of(encoders)
        tensors = {f"{skip}/{key}": value for skip in range(most + 1) for key, value in encode(pipe, skip).items()}
        try:
            encode(pipe, most + 1)
        except IndexError:
            store.put(f"clip-skip/{name}", {"components": encoders, "prompts": PROMPTS, "maxClipSkip": most}, tensors)
        else:
            raise AssertionError(f"{name} takes a clip skip of {most + 1}")
