"""Records updates of a Concept Slider in torch: a LoRA by hooks on diffusers' UNet, the objective by its formula, torch's AdamW."""

import math
import re
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers.utils import logging

from .component_cases import components
from .components import load, write_component
from .lora_matrices import lora_matrices
from .outputs import run_unet
from .weights import noise

ATTENTION = re.compile(r"\.attn[12]\.to_(q|k|v|out\.0)$")
CONVOLUTIONAL = re.compile(r"\.(resnets|downsamplers|upsamplers)\.")
CASES = {
    "sdxl": {"component": "unet-sdxl", "layers": "noxattn", "type": "c3lier", "rank": 3, "alpha": 2.0, "strength": 1.5},
    "sd1": {"component": "unet-sd1", "layers": "full", "type": "lierla", "rank": 4, "alpha": 1.0, "strength": 3.0},
    "strict": {"component": "unet-sdxl", "layers": "xattn-strict", "type": "c3lier", "rank": 2, "alpha": 4.0, "strength": 2.0},
}  # fmt: skip
LATENTS, TOKENS, TIMES, RATE = [2, 4, 6, 10], 9, [999.0, 500.0, 259.0, 20.0], 1e-2
MOST = 96  # values of a matrix that are kept, at a stride


def chosen(name, layers, kind):
    if not (ATTENTION.search(name) or (kind == "c3lier" and CONVOLUTIONAL.search(name))):
        return False
    return {
        "noxattn": ".attn2." not in name,
        "full": True,
        "xattn-strict": ".attn2." in name and ".to_out" not in name,
    }[layers]


class Lora:
    """alpha / rank · up(down(x)), added to each layer's output."""

    def __init__(self, unet, layers, kind, rank, alpha):
        named = [(name, m) for name, m in unet.named_modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d) and chosen(name, layers, kind)]
        self.scale, self.matrices = 0.0, {}
        for i, (name, layer) in enumerate(sorted(named, key=lambda n: n[0].encode())):
            weight = layer.weight
            own = min(rank, *weight.shape[:2])
            down = torch.nn.Parameter(noise([own, *weight.shape[1:]], 500 + i) / math.sqrt(math.prod(weight.shape[1:])))
            up = torch.nn.Parameter(torch.zeros(weight.shape[0], own, *[1] * (weight.dim() - 2)))
            self.matrices[name] = (down, up)
            layer.register_forward_hook(lambda m, given, out, d=down, u=up, r=alpha / own: out + self.scale * r * through(m, given[0], d, u))

    def parameters(self):
        return [matrix for pair in self.matrices.values() for matrix in pair]


def through(layer, x, down, up):
    if isinstance(layer, torch.nn.Linear):
        return F.linear(F.linear(x, down), up)
    return F.conv2d(F.conv2d(x, down, stride=layer.stride, padding=layer.padding), up)


def text(config, seed):
    """Conditioning of a prompt, by a seed."""
    found = {"encoder_hidden_states": noise([1, TOKENS, config["cross_attention_dim"]], seed) * 0.5}
    if config.get("addition_embed_type"):
        pooled = config["projection_class_embeddings_input_dim"] - 6 * config["addition_time_embed_dim"]
        height, width = 8 * LATENTS[2], 8 * LATENTS[3]
        found |= {"text_embeds": noise([1, pooled], seed + 50), "time_ids": torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32)}
    return found


def trained(component, layers, type, rank, alpha, strength):
    described = components()[component]
    with tempfile.TemporaryDirectory() as folder:
        write_component(Path(folder), described)
        unet = load(folder, described)
    for parameter in unet.parameters():
        parameter.requires_grad_(False)
    lora = Lora(unet, layers, type, rank, alpha)
    optimizer = torch.optim.AdamW(lora.parameters(), lr=RATE)
    neutral, positive, negative = (text(described["config"], seed) for seed in (1, 2, 3))

    def predict(x, time, conditioning):
        times = torch.full([len(x)], time)
        repeated = {key: value.expand(len(x), *value.shape[1:]) for key, value in conditioning.items()}
        return run_unet(unet, {"sample": x, "timestep": times, **repeated})["prediction"]

    losses = []
    for update, time in enumerate(TIMES):
        x, scale = noise(LATENTS, 1000 + update), 1.0 if update % 2 == 0 else -1.0
        lora.scale = 0.0
        with torch.no_grad():
            plain, more, less = (predict(x, time, c) for c in (neutral, positive, negative))
        lora.scale = scale
        loss = F.mse_loss(predict(x, time, neutral), plain + scale * strength * (more - less))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return lora, losses


def record(store):
    logging.set_verbosity_error()
    for name, case in CASES.items():
        with torch.enable_grad():
            lora, losses = trained(**case)
        listed, tensors = lora_matrices(lora.matrices.items(), MOST)
        facts = {**case, "latents": LATENTS, "tokens": TOKENS, "times": TIMES, "rate": RATE, "losses": losses, "matrices": listed}
        store.put(f"sliders/{name}", facts, tensors)
