"""What tensors of other families are called, by diffusers' own classes and by what diffusers' loaders look for in single files."""

import re

import diffusers
import torch
from diffusers.loaders.single_file_utils import CHECKPOINT_KEY_NAMES

# Class → what it should be taken for.
CLASSES = {
    "AuraFlowTransformer2DModel": "AuraFlow", 
    "AutoencoderKLHunyuanVideo": "an autoencoder of video", "AutoencoderKLTemporalDecoder": "an autoencoder of video",
    "CogVideoXTransformer3DModel": "CogVideoX", "CogView4Transformer2DModel": "CogView",
    "ControlNetModel": "a ControlNet", "CosmosTransformer3DModel": "Cosmos", "DiTTransformer2DModel": "DiT",
    "FluxControlNetModel": "a ControlNet of FLUX or Qwen-Image", 
    "HunyuanVideoTransformer3DModel": "HunyuanVideo", "I2VGenXLUNet": "I2VGen-XL", "Kandinsky3UNet": "Kandinsky 3",
    "Kandinsky5Transformer3DModel": "Kandinsky 5", "LTX2VideoTransformer3DModel": "LTX-2", "LTXVideoTransformer3DModel": "LTX-Video",
    "Lumina2Transformer2DModel": "Lumina", "MochiTransformer3DModel": "Mochi", "MotionAdapter": "AnimateDiff",
    "PixArtTransformer2DModel": "PixArt", "PriorTransformer": "Kandinsky 2",
    "SD3ControlNetModel": "a ControlNet of Stable Diffusion 3",
    "StableCascadeUNet": "Stable Cascade", "T2IAdapter": "a T2I-Adapter", "UNet3DConditionModel": "ModelScope's text to video",
    "UNetMotionModel": "AnimateDiff", "UNetSpatioTemporalConditionModel": "Stable Video Diffusion", "WanTransformer3DModel": "Wan",
    # Drawn here.
    "AutoencoderKL": None, "AutoencoderKLFlux2": None, "AutoencoderKLQwenImage": None, "AutoencoderTiny": None, "ChromaTransformer2DModel": None, "Flux2Transformer2DModel": None, "FluxTransformer2DModel": None, "QwenImageTransformer2DModel": None, "SD3Transformer2DModel": None, "SanaTransformer2DModel": None, "UNet2DConditionModel": None, "ZImageTransformer2DModel": None,
}  # fmt: skip

# What diffusers looks for → what it should be taken for.
ORIGINALS = {
    "animatediff": "AnimateDiff", "auraflow": "AuraFlow", "controlnet": "a ControlNet", "cosmos-1.0": "Cosmos",
    "flux": "a variant of FLUX.1", "flux2": "a transformer of FLUX.2 klein", "hidream": "HiDream", "hunyuan-video": "HunyuanVideo", "ltx-video": "LTX-Video", "lumina2": "Lumina",
    "mochi-1-preview": "Mochi", "playground-v2-5": "Playground v2.5, which is trained on EDM's noise levels", "sana": "a variant of SANA",
    "sd3": "a variant of Stable Diffusion 3", "sd35_large": "a variant of Stable Diffusion 3", "stable_cascade_stage_b": "Stable Cascade",
    "stable_cascade_stage_c": "Stable Cascade", "wan": "Wan", "wan_vae": "the autoencoder of Wan", "xl_refiner": "the SDXL refiner",
}  # fmt: skip


def names(class_name):
    """Of the first of everything that is numbered: a family is told by what it has, not by how much of it."""
    with torch.device("meta"):
        model = getattr(diffusers, class_name)()
    return {k: list(v.shape) for k, v in model.state_dict().items() if all(n == "0" for n in re.findall(r"(?<=\.)\d+(?=\.)", k))}


def record(store):
    classes = [{"class": name, "is": family, "tensors": [[k, s] for k, s in names(name).items()]} for name, family in CLASSES.items()]
    listed = lambda found: [found] if isinstance(found, str) else found
    originals = [{"is": family, "tensors": listed(CHECKPOINT_KEY_NAMES[key])} for key, family in ORIGINALS.items()]
    store.put("recognition", {"classes": classes, "originals": originals})
