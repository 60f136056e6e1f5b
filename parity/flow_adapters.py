"""Records runs of flow matching pipelines with LoRAs in every dialect that diffusers loads for them."""

import json
import re
import tempfile
from pathlib import Path

import torch
from diffusers.loaders import lora_pipeline
from safetensors.torch import save_file

from .adapters import RANK, factors, layers, noise_of
from .component_cases import CHROMA, FLUX1
from .flow_cases import case, sana
from .flow_runs import open_flow, run
from .narrow import narrowed
from .runs import hush

SCALE = 0.7


def low_rank(names, prefix, keys=("lora_A.weight", "lora_B.weight"), alpha=None, keep=lambda i, name: i % 3 == 0):
    """Factors of every layer that `keep` takes, under the name that `names` gives it; layers that it gives none are left out."""

    def written(pipe, draw):
        tensors = {}
        for name, layer in layers(pipe.transformer, keep):
            key = names(name)
            if key is None:
                continue
            down, up = factors(layer, draw)
            tensors |= {f"{prefix}{key}.{keys[0]}": down, f"{prefix}{key}.{keys[1]}": up}
            if alpha is not None:
                tensors[f"{prefix}{key}.alpha"] = torch.tensor(float(alpha))
        return tensors, {}

    return written


def fused(whole, names, prefix, keys, alpha=None):
    """One pair of factors for layers that other tools keep as one: `whole` gives its name by that of the first, and the parts."""

    def written(pipe, draw):
        tensors = {}
        for name, first in layers(pipe.transformer, lambda i, name: whole(name) is not None):
            key, parts = whole(name)
            inputs = first.weight.shape[1]
            rows = sum(pipe.transformer.get_submodule(part).weight.shape[0] for part in parts)
            down, up = draw(RANK, inputs) / inputs**0.5, draw(rows, RANK) * 0.3
            key = names(key)
            tensors |= {f"{prefix}{key}.{keys[0]}": down, f"{prefix}{key}.{keys[1]}": up}
            if alpha is not None:
                tensors[f"{prefix}{key}.alpha"] = torch.tensor(float(alpha))
        return tensors, {}

    return written


def both(*writers):
    def written(pipe, draw):
        tensors, metadata = {}, {}
        for write in writers:
            more, about = write(pipe, draw)
            tensors |= more
            metadata |= about
        return tensors, metadata

    return written


def peft_alpha(keep):
    """Alpha stands in the metadata alone."""

    def written(pipe, draw):
        tensors, _ = low_rank(lambda name: name, "transformer.", keep=keep)(pipe, draw)
        modules = sorted({k.removeprefix("transformer.").rsplit(".lora_", 1)[0] for k in tensors})
        config = {"r": RANK, "lora_alpha": 5, "target_modules": modules, "peft_type": "LORA", "bias": "none", "lora_dropout": 0.0,
                  "alpha_pattern": {}, "rank_pattern": {}, "init_lora_weights": True, "use_dora": False, "use_rslora": False}  # fmt: skip
        return tensors, {"format": "pt", "lora_adapter_metadata": json.dumps({f"transformer.{k}": v for k, v in config.items()})}

    return written


def z_image_qkv(name):
    """to_q, as the fused layer of Z-Image's own code."""
    if not name.endswith(".attention.to_q"):
        return None
    block = name.removesuffix(".to_q")
    return f"{block}.qkv", [f"{block}.to_{part}" for part in "qkv"]


def bfl(name):
    """A layer of FLUX.2 by its name in Black Forest Labs' code; None for layers that have none alone, and for the last norm, which diffusers loads without swapping its halves."""
    rules = [
        (r"^transformer_blocks\.(\d+)\.attn\.to_out\.0$", r"double_blocks.\1.img_attn.proj"),
        (r"^transformer_blocks\.(\d+)\.attn\.to_add_out$", r"double_blocks.\1.txt_attn.proj"),
        (r"^transformer_blocks\.(\d+)\.ff\.linear_in$", r"double_blocks.\1.img_mlp.0"),
        (r"^transformer_blocks\.(\d+)\.ff\.linear_out$", r"double_blocks.\1.img_mlp.2"),
        (r"^transformer_blocks\.(\d+)\.ff_context\.linear_in$", r"double_blocks.\1.txt_mlp.0"),
        (r"^transformer_blocks\.(\d+)\.ff_context\.linear_out$", r"double_blocks.\1.txt_mlp.2"),
        (r"^single_transformer_blocks\.(\d+)\.attn\.to_qkv_mlp_proj$", r"single_blocks.\1.linear1"),
        (r"^single_transformer_blocks\.(\d+)\.attn\.to_out$", r"single_blocks.\1.linear2"),
        (r"^x_embedder$", "img_in"), (r"^context_embedder$", "txt_in"),
        (r"^(double_stream_modulation_(?:img|txt)|single_stream_modulation)\.linear$", r"\1.lin"),
    ]  # fmt: skip
    return next((re.sub(pattern, to, name) for pattern, to in rules if re.match(pattern, name)), None)


def bfl_qkv(name):
    """to_q or add_q_proj, as the fused layer of Black Forest Labs' code."""
    found = re.match(r"^transformer_blocks\.(\d+)\.attn\.(to_q|add_q_proj)$", name)
    if not found:
        return None
    image = found[2] == "to_q"
    parts = ["to_q", "to_k", "to_v"] if image else ["add_q_proj", "add_k_proj", "add_v_proj"]
    return f"double_blocks.{found[1]}.{'img' if image else 'txt'}_attn.qkv", [f"transformer_blocks.{found[1]}.attn.{part}" for part in parts]


def bfl1(name):
    """A layer of FLUX.1 by its name in Black Forest Labs' code; None for layers that have none alone."""
    rules = [
        (r"^transformer_blocks\.(\d+)\.attn\.to_out\.0$", r"double_blocks.\1.img_attn.proj"),
        (r"^transformer_blocks\.(\d+)\.attn\.to_add_out$", r"double_blocks.\1.txt_attn.proj"),
        (r"^transformer_blocks\.(\d+)\.ff\.net\.0\.proj$", r"double_blocks.\1.img_mlp.0"),
        (r"^transformer_blocks\.(\d+)\.ff\.net\.2$", r"double_blocks.\1.img_mlp.2"),
        (r"^transformer_blocks\.(\d+)\.ff_context\.net\.0\.proj$", r"double_blocks.\1.txt_mlp.0"),
        (r"^transformer_blocks\.(\d+)\.ff_context\.net\.2$", r"double_blocks.\1.txt_mlp.2"),
        (r"^transformer_blocks\.(\d+)\.norm1\.linear$", r"double_blocks.\1.img_mod.lin"),
        (r"^transformer_blocks\.(\d+)\.norm1_context\.linear$", r"double_blocks.\1.txt_mod.lin"),
        (r"^single_transformer_blocks\.(\d+)\.proj_out$", r"single_blocks.\1.linear2"),
        (r"^single_transformer_blocks\.(\d+)\.norm\.linear$", r"single_blocks.\1.modulation.lin"),
    ]
    return next((re.sub(pattern, to, name) for pattern, to in rules if re.match(pattern, name)), None)


def bfl1_single(name):
    """to_q of a block with one stream, as the fused layer of Black Forest Labs' code."""
    found = re.match(r"^single_transformer_blocks\.(\d+)\.attn\.to_q$", name)
    if not found:
        return None
    block = f"single_transformer_blocks.{found[1]}"
    return f"single_blocks.{found[1]}.linear1", [f"{block}.attn.to_q", f"{block}.attn.to_k", f"{block}.attn.to_v", f"{block}.proj_mlp"]


def xlabs(name):
    """A layer of FLUX.1 by its attention processor in LoRAs of XLabs; None for layers that have none alone."""
    rules = [
        (r"^transformer_blocks\.(\d+)\.attn\.to_out\.0$", r"double_blocks.\1.processor.proj_lora1"),
        (r"^transformer_blocks\.(\d+)\.attn\.to_add_out$", r"double_blocks.\1.processor.proj_lora2"),
        (r"^single_transformer_blocks\.(\d+)\.proj_out$", r"single_blocks.\1.processor.proj_lora"),
    ]
    return next((re.sub(pattern, to, name) for pattern, to in rules if re.match(pattern, name)), None)


def xlabs_qkv(name):
    """to_q or add_q_proj, as the fused layer of XLabs' attention processors."""
    found = re.match(r"^(single_)?transformer_blocks\.(\d+)\.attn\.(to_q|add_q_proj)$", name)
    if not found:
        return None
    text = found[3] == "add_q_proj"
    parts = ["add_q_proj", "add_k_proj", "add_v_proj"] if text else ["to_q", "to_k", "to_v"]
    layer = f"single_blocks.{found[2]}.processor.qkv_lora" if found[1] else f"double_blocks.{found[2]}.processor.qkv_lora{2 if text else 1}"
    return layer, [f"{found[1] or ''}transformer_blocks.{found[2]}.attn.{part}" for part in parts]


def sai(name):
    """A layer of Stable Diffusion 3 by its name in Stability AI's code; None for layers that have none alone."""
    rules = [
        (r"^transformer_blocks\.(\d+)\.(attn2?)\.to_out\.0$", r"joint_blocks.\1.x_block.\2.proj"),
        (r"^transformer_blocks\.(\d+)\.attn\.to_add_out$", r"joint_blocks.\1.context_block.attn.proj"),
        (r"^transformer_blocks\.(\d+)\.ff\.net\.0\.proj$", r"joint_blocks.\1.x_block.mlp.fc1"),
        (r"^transformer_blocks\.(\d+)\.ff\.net\.2$", r"joint_blocks.\1.x_block.mlp.fc2"),
        (r"^transformer_blocks\.(\d+)\.ff_context\.net\.0\.proj$", r"joint_blocks.\1.context_block.mlp.fc1"),
        (r"^transformer_blocks\.(\d+)\.ff_context\.net\.2$", r"joint_blocks.\1.context_block.mlp.fc2"),
        (r"^transformer_blocks\.(\d+)\.norm1\.linear$", r"joint_blocks.\1.x_block.adaLN_modulation.1"),
        (r"^transformer_blocks\.(\d+)\.norm1_context\.linear$", r"joint_blocks.\1.context_block.adaLN_modulation.1"),
        (r"^(context_embedder)$", r"\1"), (r"^proj_out$", "final_layer.linear"), (r"^norm_out\.linear$", "final_layer.adaLN_modulation.1"),
        (r"^time_text_embed\.timestep_embedder\.linear_1$", "t_embedder.mlp.0"), (r"^time_text_embed\.text_embedder\.linear_2$", "y_embedder.mlp.2"),
    ]  # fmt: skip
    return next((re.sub(pattern, to, name) for pattern, to in rules if re.match(pattern, name)), None)


def sai_qkv(name):
    """to_q and add_q_proj, as the fused layers of Stability AI's code."""
    found = re.match(r"^transformer_blocks\.(\d+)\.(attn2?)\.(to_q|add_q_proj)$", name)
    if not found:
        return None
    image = found[3] == "to_q"
    block = f"transformer_blocks.{found[1]}.{found[2]}"
    parts = ["to_q", "to_k", "to_v"] if image else ["add_q_proj", "add_k_proj", "add_v_proj"]
    return f"joint_blocks.{found[1]}.{'x' if image else 'context'}_block.{found[2]}.qkv", [f"{block}.{part}" for part in parts]


def added_sai(names, prefix, keys):
    """Adds a LoRA with the names of Stability AI's code by its formula, for which diffusers has no loader: W + scale · alpha / rank · B A."""

    def add(pipe, tensors):
        model, left = pipe.transformer, dict(tensors)
        last = len(model.transformer_blocks) - 1
        # Shift comes before scale there.
        turned = ("norm_out.linear", f"transformer_blocks.{last}.norm1_context.linear")
        for name, layer in list(model.named_modules()):
            whole, parts = sai_qkv(name) or (sai(name), [name])
            key = whole and f"{prefix}{names(whole)}"
            if not isinstance(layer, torch.nn.Linear) or f"{key}.{keys[0]}" not in left:
                continue
            down, up = left.pop(f"{key}.{keys[0]}"), left.pop(f"{key}.{keys[1]}")
            strength = float(left.pop(f"{key}.alpha", torch.tensor(float(len(down))))) / len(down)
            change = SCALE * strength * (up @ down)
            change = change.roll(len(change) // 2, 0) if name in turned else change
            for part, rows in zip(parts, change.chunk(len(parts))):
                model.get_submodule(part).weight.data += rows
        assert not left, list(left)[:3]

    return add


KOHYA = ("lora_down.weight", "lora_up.weight")
PEFT = ("lora_A.weight", "lora_B.weight")
DOTS = ("lora.down.weight", "lora.up.weight")
same = lambda name: name  # noqa: E731
underscored = lambda name: name.replace(".", "_")  # noqa: E731
attention = lambda i, name: "attention.to_" in name or "feed_forward" in name  # noqa: E731
no_qkv = lambda i, name: "feed_forward" in name or "adaLN" in name  # noqa: E731

CASES = {
    "zimage-peft": ("zimage", low_rank(same, "transformer.")),
    "zimage-peft-metadata": ("zimage", peft_alpha(attention)),
    "zimage-ai-toolkit": ("zimage", low_rank(same, "diffusion_model.", alpha=1, keep=attention)),
    "zimage-kohya": ("zimage", low_rank(underscored, "lora_unet_", KOHYA, alpha=1.5, keep=lambda i, name: "layers" in name and attention(i, name))),
    "zimage-fused": ("zimage", both(
        fused(z_image_qkv, same, "diffusion_model.", DOTS, alpha=1),
        low_rank(same, "diffusion_model.", DOTS, keep=no_qkv),
    )),
    "klein-peft": ("klein", low_rank(same, "transformer.")),
    "klein-ai-toolkit": ("klein", both(
        fused(bfl_qkv, same, "diffusion_model.", ("lora_A.weight", "lora_B.weight")),
        low_rank(bfl, "diffusion_model.", keep=lambda i, name: i % 2 == 0),
    )),
    "klein-kohya": ("klein", both(
        fused(bfl_qkv, underscored, "lora_unet_", KOHYA, alpha=1),
        low_rank(lambda name: bfl(name) and underscored(bfl(name)), "lora_unet_", KOHYA, alpha=1.5, keep=lambda i, name: "blocks" in name),
    )),
    "flux1-peft": ("flux1", low_rank(same, "transformer.")),
    "flux1-ai-toolkit": ("flux1", low_rank(same, "transformer.", keep=lambda i, name: "attn" in name or "proj_mlp" in name)),
    "flux1-kohya": ("flux1", both(
        fused(bfl_qkv, underscored, "lora_unet_", KOHYA, alpha=1),
        fused(bfl1_single, underscored, "lora_unet_", KOHYA, alpha=2),
        low_rank(lambda name: bfl1(name) and underscored(bfl1(name)), "lora_unet_", KOHYA, alpha=1.5, keep=lambda i, name: "blocks" in name),
    )),
    "flux1-xlabs": ("flux1", both(
        fused(xlabs_qkv, same, "", ("down.weight", "up.weight")),
        low_rank(xlabs, "", ("down.weight", "up.weight"), keep=lambda i, name: True),
    )),
    "flux1-comfyui": ("flux1", both(
        fused(bfl_qkv, same, "diffusion_model.", KOHYA, alpha=1),
        fused(bfl1_single, same, "diffusion_model.", KOHYA, alpha=2),
        low_rank(bfl1, "diffusion_model.", KOHYA, alpha=1.5, keep=lambda i, name: "blocks" in name),
    )),
    "chroma-peft": ("chroma", low_rank(same, "transformer.")),
    "chroma-kohya": ("chroma", both(
        fused(bfl_qkv, underscored, "lora_unet_", KOHYA, alpha=1),
        fused(bfl1_single, underscored, "lora_unet_", KOHYA, alpha=2),
        low_rank(lambda name: bfl1(name) and underscored(bfl1(name)), "lora_unet_", KOHYA, alpha=1.5, keep=lambda i, name: "blocks" in name),
    )),
    "chroma-xlabs": ("chroma", both(
        fused(xlabs_qkv, same, "", ("down.weight", "up.weight")),
        low_rank(xlabs, "", ("down.weight", "up.weight"), keep=lambda i, name: True),
    )),
    "chroma-comfyui": ("chroma", both(
        fused(bfl_qkv, same, "diffusion_model.", KOHYA, alpha=1),
        fused(bfl1_single, same, "diffusion_model.", KOHYA, alpha=2),
        low_rank(bfl1, "diffusion_model.", KOHYA, alpha=1.5, keep=lambda i, name: "blocks" in name),
    )),
    "sd3-peft": ("sd3", low_rank(same, "transformer.")),
    "sd3-kohya": ("sd3", both(
        fused(sai_qkv, underscored, "lora_unet_", KOHYA, alpha=1),
        low_rank(lambda name: sai(name) and underscored(sai(name)), "lora_unet_", KOHYA, alpha=1.5, keep=lambda i, name: "blocks" in name),
    )),
    "sd3-comfyui": ("sd3", both(
        fused(sai_qkv, same, "diffusion_model.", PEFT),
        low_rank(sai, "diffusion_model.", PEFT, keep=lambda i, name: True),
    )),
    "qwenimage-peft": ("qwenimage", low_rank(same, "transformer.")),
    # As the authors of the Lightning LoRAs publish them.
    "qwenimage-lightning": ("qwenimage", low_rank(same, "", KOHYA, alpha=1.5, keep=lambda i, name: "blocks" in name)),
    "qwenimage-comfyui": ("qwenimage", low_rank(same, "diffusion_model.", PEFT, keep=lambda i, name: True)),
    "qwenimage-kohya": ("qwenimage", low_rank(underscored, "lora_unet_", KOHYA, alpha=1.5, keep=lambda i, name: "blocks" in name)),
    "sana-peft": ("sana", low_rank(same, "transformer.", keep=lambda i, name: "conv" not in name and i % 2 == 0)),
}  # fmt: skip


# Dialects that diffusers does not load for a family.
BY_FORMULA = {
    "sd3-kohya": added_sai(underscored, "lora_unet_", KOHYA),
    "sd3-comfyui": added_sai(same, "diffusion_model.", PEFT),
}


def paint(pipe, request):
    watch, _ = run(pipe, {}, request)
    return watch.latents[-1]


def loaded(pipe, tensors, metadata, request):
    """Latents with the LoRA as diffusers loads it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lora.safetensors"
        save_file(tensors, file, metadata=metadata or None)
        pipe.load_lora_weights(folder, weight_name=file.name, adapter_name="a")
    pipe.set_adapters(["a"], [SCALE])
    latents = paint(pipe, request)
    pipe.unload_lora_weights()
    return latents


def record(store):
    hush()
    width = FLUX1["num_attention_heads"] * FLUX1["attention_head_dim"]
    assert width == CHROMA["num_attention_heads"] * CHROMA["attention_head_dim"]
    lora_pipeline._convert_kohya_flux_lora_to_diffusers = narrowed(lora_pipeline._convert_kohya_flux_lora_to_diffusers, width)
    for number, (name, (checkpoint, write)) in enumerate(CASES.items()):
        pipe = open_flow(checkpoint)
        request = (sana if checkpoint == "sana" else case)("base", 2, 1, checkpoint=checkpoint, seeds=[3])["request"]
        saved = {k: v.clone() for k, v in pipe.transformer.state_dict().items()}
        plain = paint(pipe, request)
        tensors, metadata = write(pipe, noise_of(2000 + number))
        tensors = {k: v.contiguous() for k, v in tensors.items()}
        pipe = open_flow(checkpoint)
        if name in BY_FORMULA:
            BY_FORMULA[name](pipe, tensors)
            latents = paint(pipe, request)
        else:
            latents = loaded(pipe, tensors, metadata, request)
        pipe.transformer.load_state_dict(saved)
        assert (latents - plain).abs().max() > 0.05, f"{name} is not felt"
        description = {"pair": {"base": checkpoint}, "request": request, "scale": SCALE, "metadata": metadata}
        store.put(f"adapters/{name}", description, {"latents": latents} | {f"file/{k}": v for k, v in tensors.items()})
