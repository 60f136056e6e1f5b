"""Records updates of Concept Sliders on diffusion transformers in torch: PEFT's layers at scales 1 and −1 on diffusers' networks, targets by the formula in velocities."""

import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers.utils import logging

from .component_cases import components
from .components import load, write_component
from .flow_loras import DEFAULTS, FEED_FORWARD, IMAGE, MOST, channels_of, lora_on, text
from .lora_matrices import lora_matrices
from .outputs import RUNS
from .weights import noise

# Neutral, positive and negative prompts have texts of several lengths.
CASES = {
    "flux1": {"component": "flux1", "layers": "noxattn", "type": "c3lier", "guidance": 3.5, "strength": 1.5,
              "targets": [*[f"attn.{name}" for name in IMAGE], *FEED_FORWARD[:2], "proj_mlp", *[f"single_transformer_blocks.{i}.proj_out" for i in range(38)]]},
    "zimage": {"component": "z-image", "layers": "full", "type": "lierla", "tokens": [5, 40, 32], "strength": 3.0, "targets": IMAGE},
}  # fmt: skip
TIMES, RATE = [1000.0, 640.0, 259.0, 20.0], 1e-2


def trained(case):
    described = components()[case["component"]]
    with tempfile.TemporaryDirectory() as folder:
        write_component(Path(folder), described)
        model = load(folder, described)
    layers = lora_on(model, case)
    _, run = RUNS[described["class"]]
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=RATE)
    texts = [text(described["config"], i, case) for i in range(3)]
    shape = [2, channels_of(described), *case["latents"]]

    def predict(x, prompt, scale, timestep):
        for _, layer in layers:
            layer.scaling["default"] = scale * case["alpha"] / case["rank"]
        each = [run(model, {"sample": x[i : i + 1], "timestep": torch.tensor([timestep]), **texts[prompt]})["prediction"] for i in range(2)]
        return torch.cat(each)

    losses = []
    for update, timestep in enumerate(TIMES):
        x, scale = noise(shape, 1000 + update), 1 if update % 2 == 0 else -1
        with torch.no_grad():
            neutral, positive, negative = (predict(x, prompt, 0, timestep) for prompt in range(3))
        target = neutral + scale * case["strength"] * (positive - negative)
        loss = F.mse_loss(predict(x, 0, scale, timestep), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return layers, shape, losses


def record(store):
    logging.set_verbosity_error()
    for name, own in CASES.items():
        case = {**DEFAULTS, "tokens": [7, 12, 9], **own}
        with torch.enable_grad():
            layers, shape, losses = trained(case)
        listed, tensors = lora_matrices(layers, MOST)
        store.put(f"flow-sliders/{name}", {**case, "latents": shape, "times": TIMES, "rate": RATE, "losses": losses, "matrices": listed}, tensors)
