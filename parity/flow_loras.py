"""Records updates of LoRAs on diffusion transformers in torch: PEFT's layers on diffusers' networks, the loss of its training scripts for flow matching, torch's AdamW."""

import math
import tempfile
from pathlib import Path

import torch
from diffusers.training_utils import compute_loss_weighting_for_sd3
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from transformers.utils import logging

from .component_cases import components
from .components import load, write_component
from .lora_matrices import lora_matrices
from .outputs import RUNS
from .weights import noise

IMAGE, TEXT = ["to_q", "to_k", "to_v", "to_out.0"], ["add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"]
JOINT = ["attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0", "attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out"]
FEED_FORWARD = ["ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2"]
# Layers by the names of the library, and as target_modules of PEFT: those of train_dreambooth_lora_z_image.py, _sd3.py, _qwen_image.py and
# _flux2_klein.py; those of _flux.py with the rest of the single blocks; those of _sana.py with outputs and 1×1 convolutions.
CASES = {
    "zimage": {"component": "z-image", "layers": "full", "type": "lierla", "targets": IMAGE, "tokens": [5, 40]},
    "sd3": {"component": "sd3", "layers": "full", "type": "lierla", "targets": [*JOINT, *[f"attn2.{name}" for name in IMAGE]], "weighting": "cosmap"},
    "qwenimage": {"component": "qwen-image", "layers": "noxattn", "type": "lierla", "targets": IMAGE, "visible": [5, 12]},
    "klein": {"component": "flux2", "layers": "noxattn", "type": "lierla", "targets": [*IMAGE, "to_qkv_mlp_proj", *[f"single_transformer_blocks.{i}.attn.to_out" for i in range(24)]], "latents": [3, 5]},
    "flux1": {"component": "flux1", "layers": "full", "type": "c3lier", "targets": [*JOINT, *FEED_FORWARD, "proj_mlp", *[f"single_transformer_blocks.{i}.proj_out" for i in range(38)]], "guidance": 3.5, "prior": 0.5},
    "chroma": {"component": "chroma", "layers": "xattn", "type": "lierla", "targets": TEXT, "visible": [4, 2]},
    "sana": {"component": "sana", "layers": "full", "type": "c3lier", "targets": [*IMAGE, "conv_inverted", "conv_point"], "visible": [7, 9], "latents": [3, 5]},
}  # fmt: skip
DEFAULTS = {"tokens": [7, 12], "visible": None, "weighting": "none", "guidance": None, "prior": None, "latents": [6, 10], "rank": 3, "alpha": 4.5}
UPDATES, RATE, NORM = 10, 1e-2, 1.0
MOST = 48  # values of a matrix that are kept, at a stride


def sigmas(update):
    """Levels of the two samples: from almost clean to pure noise, other ones in each update."""
    return [((1000 - 93 * update) % 1001) / 1000, ((20 + 211 * update) % 1001) / 1000]


def text(config, sample, case):
    """Text of a sample: its own length, its own number of visible tokens."""
    width = config.get("joint_attention_dim") or config.get("cap_feat_dim") or config["caption_channels"]
    tokens = case["tokens"][sample]
    given = {"encoder_hidden_states": noise([1, tokens, width], 1 + sample)}
    if config.get("pooled_projection_dim"):
        given["pooled_projections"] = noise([1, config["pooled_projection_dim"]], 51 + sample)
    if case["visible"]:
        visible = (torch.arange(tokens) < case["visible"][sample]).float()
        image = [] if "caption_channels" in config else [torch.ones(math.prod(case["latents"]) // 4)]
        given["attention_mask"] = torch.cat([visible, *image])[None]
    if case["guidance"] is not None:
        given["guidance"] = torch.tensor([case["guidance"]])
    return given


def channels_of(described):
    config = described["config"]
    packed = described["class"] in ("FluxTransformer2DModel", "ChromaTransformer2DModel", "QwenImageTransformer2DModel")
    return config["in_channels"] // 4 if packed else config["in_channels"]


def lora_on(model, case):
    """PEFT's layers on a model, by name, with first values from seeds."""
    model.requires_grad_(False)
    model.add_adapter(LoraConfig(r=case["rank"], lora_alpha=case["alpha"], target_modules=case["targets"]))
    layers = sorted(((name, m) for name, m in model.named_modules() if isinstance(m, LoraLayer)), key=lambda n: n[0].encode())
    for i, (_, layer) in enumerate(layers):
        down = layer.lora_A["default"].weight
        down.data = noise(list(down.shape), 500 + i) / math.sqrt(down[0].numel())
        layer.lora_B["default"].weight.data.zero_()
    return layers


def trained(case):
    described = components()[case["component"]]
    with tempfile.TemporaryDirectory() as folder:
        write_component(Path(folder), described)
        model = load(folder, described)
    _, run = RUNS[described["class"]]
    layers = lora_on(model, case)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=RATE)
    texts = [text(described["config"], i, case) for i in range(2)]
    shape = [2, channels_of(described), *case["latents"]]
    losses, norms = [], []
    for update in range(UPDATES):
        levels = torch.tensor(sigmas(update))
        x0, eps = noise(shape, 1000 + update), noise(shape, 2000 + update)
        at = levels.view(2, 1, 1, 1)
        x, target = (1 - at) * x0 + at * eps, eps - x0
        # One after the other: texts of different lengths.
        out = torch.cat([run(model, {"sample": x[i : i + 1], "timestep": 1000 * levels[i : i + 1], **texts[i]})["prediction"] for i in range(2)])
        weights = compute_loss_weighting_for_sd3(weighting_scheme=case["weighting"], sigmas=at)
        each = (weights * (out - target) ** 2).mean(dim=[1, 2, 3])
        loss = each.mean() if case["prior"] is None else each[0] + case["prior"] * each[1]
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, NORM).item())
        optimizer.step()
        losses.append(loss.item())
    return layers, shape, losses, norms


def record(store):
    logging.set_verbosity_error()
    for name, own in CASES.items():
        case = {**DEFAULTS, **own}
        with torch.enable_grad():
            layers, shape, losses, norms = trained(case)
        listed, tensors = lora_matrices(layers, MOST)
        facts = {
            **case, "latents": shape, "rate": RATE, "norm": NORM, "sigmas": [sigmas(update) for update in range(UPDATES)],
            "losses": losses, "norms": norms, "matrices": listed,
        }  # fmt: skip
        store.put(f"flow-loras/{name}", facts, tensors)
