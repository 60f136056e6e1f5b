"""Where each of diffusers' tensors is in a file of SANA's autoencoder with the names of its authors' code, by diffusers' own converter."""

import torch
from diffusers.loaders.single_file_utils import convert_autoencoder_dc_checkpoint_to_diffusers

from .component_cases import components
from .transformer_files import in_file

STAGE = [(r"^encoder\.down_blocks\.(\d+)\.(\d+)\.", r"encoder.stages.\1.op_list.\2."), (r"^decoder\.up_blocks\.(\d+)\.(\d+)\.", r"decoder.stages.\1.op_list.\2.")]
# Names inside a block, in the order in which they are tried.
INSIDE = [
    (r"^attn\.to_qkv_multiscale\.(\d+)\.proj_in\.", r"context_module.main.aggreg.\1.0."),
    (r"^attn\.to_qkv_multiscale\.(\d+)\.proj_out\.", r"context_module.main.aggreg.\1.1."),
    (r"^attn\.to_out\.", "context_module.main.proj.conv."), (r"^attn\.norm_out\.", "context_module.main.proj.norm."),
    (r"^conv_out\.conv_inverted\.", "local_module.main.inverted_conv.conv."), (r"^conv_out\.conv_depth\.", "local_module.main.depth_conv.conv."),
    (r"^conv_out\.conv_point\.", "local_module.main.point_conv.conv."), (r"^conv_out\.norm\.", "local_module.main.point_conv.norm."),
    (r"^conv1\.", "main.conv1.conv."), (r"^conv2\.", "main.conv2.conv."), (r"^norm\.", "main.conv2.norm."),
]  # fmt: skip
RESAMPLING = {"encoder": (r"^conv\.", "main.conv."), "decoder": (r"^conv\.", "main.conv.conv.")}
ENDS = [
    (r"^encoder\.conv_in\.", "encoder.project_in.conv."), (r"^encoder\.conv_out\.", "encoder.project_out.main.op_list.0.conv."),
    (r"^decoder\.conv_in\.", "decoder.project_in.main.conv."), (r"^decoder\.norm_out\.", "decoder.project_out.op_list.0."),
    (r"^decoder\.conv_out\.", "decoder.project_out.op_list.2.conv."),
]  # fmt: skip


def rules():
    """Each pair of a place and a name inside it."""
    for half, (place, stage) in zip(("encoder", "decoder"), STAGE):
        for inside, to in [*INSIDE, RESAMPLING[half]]:
            # The groups of the place come first.
            yield place + inside[1:], stage + to.replace(r"\1", r"\3")
    yield from ENDS


FUSED = [(place + r"attn\.to_[qkv]\.weight$", stage + "context_module.main.qkv.conv.weight") for place, stage in STAGE]


def record(store):
    tensors = components()["vae-dc"]["weights"]["tensors"]
    # Projections are convolutions in the file.
    shapes = in_file([(name, [*shape, 1, 1] if ".attn.to_" in name and len(shape) == 2 else shape) for name, shape in tensors], list(rules()), FUSED)
    keys = list(shapes)
    # Each value tells its tensor and its row.
    marked = {
        key: (100_000 * i + torch.arange(shape[0]).double()).reshape(-1, *[1] * (len(shape) - 1)).expand(shape).clone()
        for i, (key, shape) in enumerate(shapes.items())
    }
    places = {}
    for name, tensor in convert_autoencoder_dc_checkpoint_to_diffusers(marked).items():
        assert list(tensor.shape) == dict(tensors)[name], name
        rows = tensor.flatten(1)[:, 0] if tensor.dim() > 1 else tensor
        places[name] = [keys[int(rows[0]) // 100_000], [int(row) % 100_000 for row in rows]]
    assert places.keys() == dict(tensors).keys()
    store.put("single/autoencoder-dc", {"tensors": [[key, list(shape)] for key, shape in shapes.items()], "places": places})
