"""Where each of diffusers' tensors is in a transformer file with the names of its authors' code, by diffusers' own converters."""

import re

import torch
from diffusers.loaders.single_file_utils import (
    convert_chroma_transformer_checkpoint_to_diffusers,
    convert_flux2_transformer_checkpoint_to_diffusers,
    convert_flux_transformer_checkpoint_to_diffusers,
    convert_sd3_transformer_checkpoint_to_diffusers,
    convert_z_image_transformer_checkpoint_to_diffusers,
)

from .component_cases import FLUX1 as FLUX1_CONFIG
from .component_cases import components
from .narrow import narrowed

Z_IMAGE = [
    (r"^all_x_embedder\.2-1\.", "x_embedder."), (r"^all_final_layer\.2-1\.", "final_layer."), (r"\.attention\.to_out\.0\.", ".attention.out."),
    (r"\.attention\.norm_q\.", ".attention.q_norm."), (r"\.attention\.norm_k\.", ".attention.k_norm."),
]  # fmt: skip
ATTENTION = [
    (r"^single_transformer_blocks\.(\d+)\.attn\.norm_q\.weight", r"single_blocks.\1.norm.query_norm.scale"),
    (r"^single_transformer_blocks\.(\d+)\.attn\.norm_k\.weight", r"single_blocks.\1.norm.key_norm.scale"),
    (r"^transformer_blocks\.(\d+)\.attn\.to_out\.0\.", r"double_blocks.\1.img_attn.proj."),
    (r"^transformer_blocks\.(\d+)\.attn\.to_add_out\.", r"double_blocks.\1.txt_attn.proj."),
    (r"^transformer_blocks\.(\d+)\.attn\.norm_q\.weight", r"double_blocks.\1.img_attn.norm.query_norm.scale"),
    (r"^transformer_blocks\.(\d+)\.attn\.norm_k\.weight", r"double_blocks.\1.img_attn.norm.key_norm.scale"),
    (r"^transformer_blocks\.(\d+)\.attn\.norm_added_q\.weight", r"double_blocks.\1.txt_attn.norm.query_norm.scale"),
    (r"^transformer_blocks\.(\d+)\.attn\.norm_added_k\.weight", r"double_blocks.\1.txt_attn.norm.key_norm.scale"),
]  # fmt: skip
FLUX1 = [
    (r"^x_embedder\.", "img_in."), (r"^context_embedder\.", "txt_in."), (r"^proj_out\.", "final_layer.linear."),
    (r"^norm_out\.linear\.", "final_layer.adaLN_modulation.1."),
    (r"^time_text_embed\.(time)step_embedder\.linear_1\.", r"\1_in.in_layer."),
    (r"^time_text_embed\.(time)step_embedder\.linear_2\.", r"\1_in.out_layer."),
    (r"^time_text_embed\.guidance_embedder\.linear_1\.", "guidance_in.in_layer."),
    (r"^time_text_embed\.guidance_embedder\.linear_2\.", "guidance_in.out_layer."),
    (r"^time_text_embed\.text_embedder\.linear_1\.", "vector_in.in_layer."),
    (r"^time_text_embed\.text_embedder\.linear_2\.", "vector_in.out_layer."),
    (r"^single_transformer_blocks\.(\d+)\.norm\.linear\.", r"single_blocks.\1.modulation.lin."),
    (r"^single_transformer_blocks\.(\d+)\.proj_out\.", r"single_blocks.\1.linear2."),
    (r"^transformer_blocks\.(\d+)\.norm1\.linear\.", r"double_blocks.\1.img_mod.lin."),
    (r"^transformer_blocks\.(\d+)\.norm1_context\.linear\.", r"double_blocks.\1.txt_mod.lin."),
    (r"^transformer_blocks\.(\d+)\.ff\.net\.0\.proj\.", r"double_blocks.\1.img_mlp.0."), (r"^transformer_blocks\.(\d+)\.ff\.net\.2\.", r"double_blocks.\1.img_mlp.2."),
    (r"^transformer_blocks\.(\d+)\.ff_context\.net\.0\.proj\.", r"double_blocks.\1.txt_mlp.0."),
    (r"^transformer_blocks\.(\d+)\.ff_context\.net\.2\.", r"double_blocks.\1.txt_mlp.2."),
    *ATTENTION,
]  # fmt: skip
# FLUX.1's blocks without their modulation, which one network computes.
CHROMA = [
    *FLUX1,
    (r"^distilled_guidance_layer\.layers\.(\d+)\.linear_1\.", r"distilled_guidance_layer.layers.\1.in_layer."),
    (r"^distilled_guidance_layer\.layers\.(\d+)\.linear_2\.", r"distilled_guidance_layer.layers.\1.out_layer."),
    (r"^distilled_guidance_layer\.norms\.(\d+)\.weight", r"distilled_guidance_layer.norms.\1.scale"),
]
FLUX2 = [
    (r"^x_embedder\.", "img_in."), (r"^context_embedder\.", "txt_in."), (r"^proj_out\.", "final_layer.linear."),
    (r"^norm_out\.linear\.", "final_layer.adaLN_modulation.1."), (r"^((?:double|single)_stream_modulation\w*)\.linear\.", r"\1.lin."),
    (r"^time_guidance_embed\.(time)step_embedder\.linear_1\.", r"\1_in.in_layer."),
    (r"^time_guidance_embed\.(time)step_embedder\.linear_2\.", r"\1_in.out_layer."),
    (r"^time_guidance_embed\.(guidance)_embedder\.linear_1\.", r"\1_in.in_layer."),
    (r"^time_guidance_embed\.(guidance)_embedder\.linear_2\.", r"\1_in.out_layer."),
    (r"^single_transformer_blocks\.(\d+)\.attn\.to_qkv_mlp_proj\.", r"single_blocks.\1.linear1."),
    (r"^single_transformer_blocks\.(\d+)\.attn\.to_out\.", r"single_blocks.\1.linear2."),
    *ATTENTION,
    (r"^transformer_blocks\.(\d+)\.ff\.linear_in\.", r"double_blocks.\1.img_mlp.0."), (r"^transformer_blocks\.(\d+)\.ff\.linear_out\.", r"double_blocks.\1.img_mlp.2."),
    (r"^transformer_blocks\.(\d+)\.ff_context\.linear_in\.", r"double_blocks.\1.txt_mlp.0."),
    (r"^transformer_blocks\.(\d+)\.ff_context\.linear_out\.", r"double_blocks.\1.txt_mlp.2."),
]  # fmt: skip
SD3 = [
    (r"^pos_embed\.pos_embed", "pos_embed"), (r"^pos_embed\.proj\.", "x_embedder.proj."), (r"^proj_out\.", "final_layer.linear."),
    (r"^norm_out\.linear\.", "final_layer.adaLN_modulation.1."),
    (r"^time_text_embed\.timestep_embedder\.linear_1\.", "t_embedder.mlp.0."), (r"^time_text_embed\.timestep_embedder\.linear_2\.", "t_embedder.mlp.2."),
    (r"^time_text_embed\.text_embedder\.linear_1\.", "y_embedder.mlp.0."), (r"^time_text_embed\.text_embedder\.linear_2\.", "y_embedder.mlp.2."),
    (r"^transformer_blocks\.(\d+)\.norm1\.linear\.", r"joint_blocks.\1.x_block.adaLN_modulation.1."),
    (r"^transformer_blocks\.(\d+)\.norm1_context\.linear\.", r"joint_blocks.\1.context_block.adaLN_modulation.1."),
    (r"^transformer_blocks\.(\d+)\.(attn2?)\.to_out\.0\.", r"joint_blocks.\1.x_block.\2.proj."),
    (r"^transformer_blocks\.(\d+)\.attn\.to_add_out\.", r"joint_blocks.\1.context_block.attn.proj."),
    (r"^transformer_blocks\.(\d+)\.(attn2?)\.norm_([qk])\.", r"joint_blocks.\1.x_block.\2.ln_\3."),
    (r"^transformer_blocks\.(\d+)\.attn\.norm_added_([qk])\.", r"joint_blocks.\1.context_block.attn.ln_\2."),
    (r"^transformer_blocks\.(\d+)\.ff\.net\.0\.proj\.", r"joint_blocks.\1.x_block.mlp.fc1."), (r"^transformer_blocks\.(\d+)\.ff\.net\.2\.", r"joint_blocks.\1.x_block.mlp.fc2."),
    (r"^transformer_blocks\.(\d+)\.ff_context\.net\.0\.proj\.", r"joint_blocks.\1.context_block.mlp.fc1."),
    (r"^transformer_blocks\.(\d+)\.ff_context\.net\.2\.", r"joint_blocks.\1.context_block.mlp.fc2."),
]  # fmt: skip
# Names of layers that are one in the file, and how many times the rows of a part it has.
FUSED = {
    "flux1": [(r"^transformer_blocks\.(\d+)\.attn\.to_([qkv])\.(weight|bias)$", r"double_blocks.\1.img_attn.qkv.\3"),
              (r"^transformer_blocks\.(\d+)\.attn\.add_([qkv])_proj\.(weight|bias)$", r"double_blocks.\1.txt_attn.qkv.\3"),
              (r"^single_transformer_blocks\.(\d+)\.attn\.to_([qkv])\.(weight|bias)$", r"single_blocks.\1.linear1.\3"),
              (r"^single_transformer_blocks\.(\d+)\.proj_(mlp)\.(weight|bias)$", r"single_blocks.\1.linear1.\3")],
    "sd3": [(r"^transformer_blocks\.(\d+)\.(attn2?)\.to_([qkv])\.(weight|bias)$", r"joint_blocks.\1.x_block.\2.qkv.\4"),
            (r"^transformer_blocks\.(\d+)\.attn\.add_([qkv])_proj\.(weight|bias)$", r"joint_blocks.\1.context_block.attn.qkv.\3")],
    "z-image": [(r"^(.*\.attention)\.to_([qkv])\.weight$", r"\1.qkv.weight")],
    "flux2": [(r"^transformer_blocks\.(\d+)\.attn\.to_([qkv])\.weight$", r"double_blocks.\1.img_attn.qkv.weight"),
              (r"^transformer_blocks\.(\d+)\.attn\.add_([qkv])_proj\.weight$", r"double_blocks.\1.txt_attn.qkv.weight")],
}  # fmt: skip
FUSED["chroma"] = FUSED["flux1"]
WIDTH = FLUX1_CONFIG["num_attention_heads"] * FLUX1_CONFIG["attention_head_dim"]
FILES = {
    "flux1": ("flux1-fast", FLUX1, narrowed(convert_flux_transformer_checkpoint_to_diffusers, WIDTH)),
    "chroma": ("chroma-fast", CHROMA, narrowed(convert_chroma_transformer_checkpoint_to_diffusers, WIDTH)),
    "sd3": ("sd3", SD3, convert_sd3_transformer_checkpoint_to_diffusers),
    "z-image": ("z-image-fast", Z_IMAGE, convert_z_image_transformer_checkpoint_to_diffusers),
    "flux2": ("flux2-fast", FLUX2, convert_flux2_transformer_checkpoint_to_diffusers),
}


def in_file(tensors, renamed, fused):
    """Shapes by the names of the file."""
    found = {}
    for name, shape in tensors:
        whole = next(((re.sub(p, to, name)) for p, to in fused if re.match(p, name)), None)
        if whole:
            found[whole] = [found.get(whole, [0])[0] + shape[0], *shape[1:]]
            continue
        key = next((re.sub(p, to, name) for p, to in renamed if re.search(p, name)), name)
        found[key] = shape
    return found


def record(store):
    for family, (component, renamed, convert) in FILES.items():
        shapes = in_file(components()[component]["weights"]["tensors"], renamed, FUSED[family])
        keys = list(shapes)
        # Each value tells its tensor and its row.
        marked = {
            key: (100_000 * i + torch.arange(shape[0]).double()).reshape(-1, *[1] * (len(shape) - 1)).expand(shape).clone()
            for i, (key, shape) in enumerate(shapes.items())
        }
        places = {}
        for name, tensor in convert(marked).items():
            rows = tensor.flatten(1)[:, 0] if tensor.dim() > 1 else tensor
            places[name] = [keys[int(rows[0]) // 100_000], [int(row) % 100_000 for row in rows]]
        store.put(f"single/transformer-{family}", {"tensors": [[key, list(shape)] for key, shape in shapes.items()], "places": places})
