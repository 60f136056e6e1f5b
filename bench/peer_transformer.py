"""A transformer of diffusers in a process of its own, for `bench --family`: FOLDER TYPE SIZE TOKENS POOLED THREADS RUNS.

FOLDER holds the transformer, TYPE is float32 or bfloat16, TOKENS the text's length, POOLED the features of its pooled form. Prints the
milliseconds of RUNS forward passes, after one that is not counted, as JSON.
"""
import inspect
import json
import sys
import time

import diffusers
import torch

folder, kind = sys.argv[1:3]
size, tokens, pooled, threads, runs = map(int, sys.argv[3:8])
torch.set_num_threads(threads)
dtype = torch.float32 if kind == "float32" else torch.bfloat16
name = json.load(open(f"{folder}/config.json"))["_class_name"]
model = getattr(diffusers, name).from_pretrained(folder, torch_dtype=dtype).eval()
config = model.config


def random(*shape):
    return torch.randn(*shape).to(dtype)


def grid(axes, side):
    """Positions of image tokens, [side², axes]: the second axis from the front is the row, the next the column."""
    ids = torch.zeros(side, side, axes)
    ids[..., 1] += torch.arange(side)[:, None]
    ids[..., 2] += torch.arange(side)
    return ids.reshape(-1, axes)


def spread(features):
    """Inputs of transformers that read tokens of 16 × 16 pixels."""
    side, axes = size // 16, len(config.axes_dims_rope)
    return {
        "hidden_states": random(1, side * side, config.in_channels), "encoder_hidden_states": random(1, tokens, features),
        "timestep": torch.tensor([0.5], dtype=dtype), "img_ids": grid(axes, side), "txt_ids": torch.zeros(tokens, axes),
        "guidance": torch.tensor([3.5], dtype=dtype), "pooled_projections": random(1, pooled),
    }  # fmt: skip


def qwen_image():
    side = size // 16
    return {**spread(config.joint_attention_dim), "img_shapes": [[(1, side, side)]], "encoder_hidden_states_mask": torch.ones(1, tokens).bool()}


INPUTS = {
    "ZImageTransformer2DModel": lambda: {
        "x": [random(16, 1, size // 8, size // 8)], "t": torch.tensor([0.5], dtype=dtype), "cap_feats": [random(tokens, config.cap_feat_dim)],
    },
    "QwenImageTransformer2DModel": qwen_image,
    "SD3Transformer2DModel": lambda: {
        "hidden_states": random(1, 16, size // 8, size // 8), "encoder_hidden_states": random(1, tokens, config.joint_attention_dim),
        "timestep": torch.tensor([500.0]), "pooled_projections": random(1, pooled),
    },
    "SanaTransformer2DModel": lambda: {
        "hidden_states": random(1, 32, size // 32, size // 32), "encoder_hidden_states": random(1, tokens, config.caption_channels),
        "timestep": torch.tensor([500.0], dtype=dtype),
    },
}  # fmt: skip
given = INPUTS.get(name, lambda: spread(config.joint_attention_dim))()
takes = inspect.signature(model.forward).parameters
given = {key: value for key, value in given.items() if key in takes}


def milliseconds():
    start = time.perf_counter()
    with torch.inference_mode():
        model(**given, return_dict=False)
    return 1000 * (time.perf_counter() - start)


milliseconds()
print(json.dumps([milliseconds() for _ in range(runs)]))
