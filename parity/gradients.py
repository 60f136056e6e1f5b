"""Records gradients of whole networks by PyTorch's autograd: with respect to every weight, and to inputs that are floats."""

import tempfile
from pathlib import Path

import torch
from transformers.utils import logging

from .component_cases import components
from .components import load, state_dict, write_component
from .outputs import RUNS, tensor
from .weights import noise

# [component, output]: the loss is the sum of the output's first run times noise of seed 77.
CASES = [
    ("unet-sdxl", "prediction"), ("unet-sd1", "prediction"), ("text-sdxl-2", "text_embeds"), ("text-sd1", "last"), ("vae-sdxl", "image"),
    ("clip", "image_embeds"),
]  # fmt: skip
SEED = 77
# Gradients above this many values are sampled at a stride.
MOST = 96


def gradients(model, run, inputs, output):
    """Gradients by the names of weights and inputs."""
    leaves = {name: value.requires_grad_() for name, value in inputs.items() if value.is_floating_point() and name not in ("timestep", "time_ids")}
    weights = {name: p.requires_grad_() for name, p in model.named_parameters()}
    with torch.enable_grad():
        result = run(model, inputs)[output]
        (result * noise(list(result.shape), SEED)).sum().backward()
    return {name: value.grad for name, value in {**leaves, **weights}.items() if value.grad is not None}


def record(store):
    logging.set_verbosity_error()
    for name, output in CASES:
        described = components()[name]
        runs, run = RUNS[described["class"]]
        with tempfile.TemporaryDirectory() as folder:
            write_component(Path(folder), described)
            model = load(folder, described)
        inputs = next(iter(runs(described)))
        found = gradients(model, run, {key: tensor(entry) for key, entry in inputs.items()}, output)
        files = state_dict(described)
        found = {key if key in files or key in inputs else f"text_model.{key}": value for key, value in found.items()}
        listed = {key: {"shape": list(value.shape), "stride": -(-value.numel() // MOST)} for key, value in found.items()}
        tensors = {key: value.flatten()[:: listed[key]["stride"]] for key, value in found.items()}
        store.put(f"gradients/{name}", {"component": name, "inputs": inputs, "output": output, "seed": SEED, "gradients": listed}, tensors)
