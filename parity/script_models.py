"""References beside the embedded pair's own, made of its weights under other names: what the cases of scripts.py open."""

import json
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

from .single_files import unet_names

EMBEDDED = Path(__file__).parent.parent / "embedded"
WEIGHTS = "diffusion_pytorch_model.safetensors"


def renamed(source, target, name):
    """The tensors of a file under other names."""
    save_file({name(key): tensor for key, tensor in load_file(EMBEDDED / source).items()}, target)
    return str(target)


def distilled_stability(folder):
    source = f"distilled/unet/{WEIGHTS}"
    names = unet_names(load_file(EMBEDDED / source), layers=1)
    return {"base": "embedded:base", "distilled": renamed(source, folder / "few.safetensors", names.get)}


def distilled_prefixed(folder):
    return {"base": "embedded:base", "distilled": renamed(f"distilled/unet/{WEIGHTS}", folder / "few.safetensors", "unet.{}".format)}


def text_encoders(folder):
    """In files, whose configs follow from shapes: others than the embedded ones'."""
    first, second = ("conditioner.embedders.0.transformer.{}".format, "{}".format)
    return {
        "base": "embedded:base", "distilled": "embedded:distilled",
        "textEncoders": [
            renamed("base/text_encoder_2/model.safetensors", folder / "second.safetensors", second),
            renamed("base/text_encoder/model.safetensors", folder / "first.safetensors", first),
        ],
    }  # fmt: skip


def decoder_normalised(folder):
    target = folder / "vae"
    shutil.copytree(EMBEDDED / "base/vae", target)
    config = json.loads((target / "config.json").read_text())
    config |= {"latents_mean": [0.5, -0.25, 0.125, 0.3], "latents_std": [0.9, 1.1, 1.2, 0.8]}
    (target / "config.json").write_text(json.dumps(config))
    return {"base": "embedded:base", "distilled": "embedded:distilled", "decoder": str(target)}


def loras(folder):
    """A LoRA as the distilled model, others beside it, and a textual inversion."""
    return {
        "base": "embedded:base", "distilled": "embedded:adapters/distilled.safetensors",
        "adapters": [{"ref": "smile.base", "scale": -1}, {"ref": "blueprint", "on": "distilled"}],
        "embeddings": [{"ref": "embedded:adapters/pip.safetensors", "token": "<zq>"}],
    }  # fmt: skip


MODELS = {
    "distilled-stability": distilled_stability,
    "distilled-prefixed": distilled_prefixed,
    "text-encoders": text_encoders,
    "decoder-normalised": decoder_normalised,
    "loras": loras,
}
