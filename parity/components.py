"""A component as data: class, config and grown weights; and the folders that diffusers loads it from."""

import importlib
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoConfig

from .weights import by_name, fingerprint, grow, ties

EMBEDDED = Path(__file__).parent.parent / "embedded"
EMOJI = Path(__file__).parent.parent / "packages" / "pair-emoji"

# Names of the middle attention of autoencoders saved before diffusers 0.18.
OLD_ATTENTION = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def class_of(component):
    return getattr(importlib.import_module(component["library"]), component["class"])


def instance(component):
    """The component with whatever weights its class begins with."""
    cls, config = class_of(component), component["config"]
    if component["library"] == "diffusers":
        return cls.from_config(config)
    return cls._from_config(AutoConfig.for_model(**config))


def file_names(component, naming):
    """State-dict names as a file of this naming has them, without the positions that older files carry."""
    names = [[n, list(t.shape)] for n, t in instance(component).state_dict().items() if not n.endswith(("position_ids", "num_batches_tracked"))]
    if naming == "text_model.":
        return [[n if n.startswith(("text_model.", "text_projection")) else f"text_model.{n}", s] for n, s in names]
    if naming == "no text_model.":
        return [[n.removeprefix("text_model."), s] for n, s in names]
    if naming == "tied":
        return [[n, s] for n, s in names if n not in ("lm_head.weight", "encoder.embed_tokens.weight")]
    if naming == "vision beside":
        return [[n.replace("model.language_model.", "model.").replace("model.visual.", "visual."), s] for n, s in names]
    if naming == "old attention":
        for new, old in OLD_ATTENTION.items():
            names = [[n.replace(f".{new}.", f".{old}.") if ".attentions.0." in n else n, s] for n, s in names]
    return names


def component(library, class_name, config, seed, dtype="float32", storage="whole", naming=None, stray=None):
    """
    Describes a component. storage: whole, sharded, fp16 (variant name) or bin. naming: see file_names.
    stray: int64 tensors [name, shape] that the file has too, counting up; nothing may trip over them.
    """
    head = {"_class_name": class_name, "_diffusers_version": "0.42.1"} if library == "diffusers" else {"architectures": [class_name]}
    described = {"library": library, "class": class_name, "config": {**head, **config}}
    weights = {"seed": seed, "dtype": dtype, "storage": storage, "fingerprint": None, "ties": None}
    weights |= {"stray": stray} if stray else {}
    weights["tensors"] = by_name(file_names(described, naming))
    weights["fingerprint"], weights["ties"] = fingerprint(weights), ties(weights)
    return {**described, "weights": weights}


def stem(component, storage):
    if component["library"] == "diffusers":
        return "diffusion_pytorch_model"
    return "pytorch_model" if storage == "bin" else "model"


def state_dict(component):
    """Names of the file → tensors, strays last."""
    stray = component["weights"].get("stray", [])
    counted = {name: torch.arange(torch.Size(shape).numel()).reshape(shape) for name, shape in stray}
    return {name: t.contiguous() for name, t in grow(component["weights"]).items()} | counted


def write_component(folder, component):
    """config.json and the weights as the storage names them. test/support/checkpoint.ts writes the same folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(component["config"]))
    storage, tensors = component["weights"]["storage"], state_dict(component)
    name = stem(component, storage)
    if storage == "bin":
        torch.save(tensors, folder / f"{name}.bin")
    elif storage == "sharded":
        write_shards(folder, name, tensors)
    else:
        variant = ".fp16" if storage == "fp16" else ""
        save_file(tensors, folder / f"{name}{variant}.safetensors", metadata={"format": "pt"})


def write_shards(folder, name, tensors, count=3):
    """Every count-th tensor goes into the same file."""
    keys, weight_map = list(tensors), {}
    for i in range(count):
        file = f"{name}-{i + 1:05}-of-{count:05}.safetensors"
        part = {key: tensors[key] for key in keys[i::count]}
        save_file(part, folder / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(part, file)
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": {key: weight_map[key] for key in keys}}
    (folder / f"{name}.safetensors.index.json").write_text(json.dumps(index))


def load(folder, component):
    """What the library makes of the folder, in float32. Refuses to go on where it did not take every tensor."""
    storage = component["weights"]["storage"]
    options = {"variant": "fp16"} if storage == "fp16" else {}
    if storage == "bin":
        options["use_safetensors"] = False
    dtype = {"torch_dtype": torch.float32} if component["library"] == "diffusers" else {"dtype": torch.float32}
    model, info = class_of(component).from_pretrained(folder, output_loading_info=True, **options, **dtype)
    unused = [key for key in info["unexpected_keys"] if not key.endswith("position_ids")]
    if info["missing_keys"] or unused:
        raise RuntimeError(f"{component['class']}: missing {sorted(info['missing_keys'])[:3]}, unexpected {unused[:3]}")
    return model.eval()


def write_checkpoint(folder, checkpoint, components):
    """A whole diffusers folder: model_index.json, scheduler, tokenizers of the embedded pair, components."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model_index.json").write_text(json.dumps(checkpoint["index"]))
    (folder / "scheduler").mkdir(exist_ok=True)
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(checkpoint["scheduler"]))
    for name, source in checkpoint["tokenizers"].items():
        shutil.copytree(EMBEDDED / source, folder / name, dirs_exist_ok=True)
    for name, key in checkpoint["components"].items():
        write_component(folder / name, components[key])
