"""Knows how a wide UNet becomes a narrow one that begins with what the wide one has learned: of every set of channels that
must stay in step, those stay which the loss would miss most (first-order Taylor: Molchanov et al. 2017)."""
import re
from pathlib import Path

import torch

from . import network, noise
from .base import loss_of
from .conditioning import TrainingSet

HEAD = 32  # channels of an attention head
BATCHES = 12
SKIPS = {  # what a resnet of the way up sees beside its own stream
    "up_blocks.0.resnets.0": ["d2", "d2"], "up_blocks.0.resnets.1": ["up_blocks.0.0", "d1.small"],
    "up_blocks.1.resnets.0": ["up_blocks.0.large", "d1"], "up_blocks.1.resnets.1": ["up_blocks.1.0", "d0.small"],
    "up_blocks.2.resnets.0": ["up_blocks.1.large", "d0"], "up_blocks.2.resnets.1": ["up_blocks.2.0", "d0"],
}
DOWN = {"down_blocks.0": "d0", "down_blocks.1": "d0.small", "down_blocks.2": "d1.small", "mid_block": "d2"}  # what a block is given
OUT = {"down_blocks.0": "d0", "down_blocks.1": "d1", "down_blocks.2": "d2", "mid_block": "d2"}


def axes(name: str) -> list[list[str] | None]:
    """The sets of channels along a tensor's first two axes, one after the other where they are concatenated; None: kept whole."""
    block, rest = re.match(r"((?:down|up)_blocks\.\d|mid_block|\w+)\.(.*)", name).groups()
    if block == "conv_in":
        return [["d0"], None]
    if block in ("conv_norm_out", "conv_out"):
        return [["up_blocks.2.1"]] if block == "conv_norm_out" else [None, ["up_blocks.2.1"]]
    if block.endswith("_embedding"):
        return [[f"{block}.inner"], None] if "linear_1" in rest else [["time"], [f"{block}.inner"]]
    if "samplers" in rest:
        stream = OUT.get(block, f"{block}.1")
        return [[f"{stream}.small" if "down" in rest else f"{block}.large"], [stream]]
    part, index, rest = rest.split(".", 2)
    stream = OUT.get(block, f"{block}.{index}")
    return _resnet(f"{block}.{part}.{index}", rest, block, stream) if part == "resnets" else _transformer(f"{block}.{part}.{index}", rest, stream)


def _resnet(whole: str, rest: str, block: str, stream: str) -> list:
    given = SKIPS.get(whole) or [DOWN[block]]
    inner = [f"{whole}.inner"]
    return {
        "norm1": [given], "conv1": [inner, given], "time_emb_proj": [inner, ["time"]], "norm2": [inner],
        "conv2": [[stream], inner], "conv_shortcut": [[stream], given],
    }[rest.split(".")[0]]


def _transformer(whole: str, rest: str, stream: str) -> list:
    inner, wide, words = [f"{whole}.inner"], [f"{whole}.ff"], "attn2" in rest
    heads = [f"{whole}.{'attn2' if words else 'attn1'}.heads"]
    last = rest.removeprefix("transformer_blocks.0.").rsplit(".", 1)[0]
    return {
        "norm": [[stream]], "proj_in": [inner, [stream]], "proj_out": [[stream], inner], "norm1": [inner], "norm2": [inner], "norm3": [inner],
        "ff.net.0.proj": [wide * 2, inner], "ff.net.2": [inner, wide],
    }.get(last) or ([inner, heads] if "to_out" in last else [heads, None if words and "to_q" not in last else inner])


def _sets(shapes: dict[str, torch.Size]) -> dict[str, int]:
    """How many channels each set has, from the tensors along whose axis it stands alone."""
    found = {}
    for name, shape in shapes.items():
        for axis, parts in enumerate(axes(name)[:len(shape)]):
            for part in parts or []:
                if len(set(parts)) == 1:
                    found[part] = shape[axis] // len(parts)
    return found


def importance(unet, training: TrainingSet, sizes: dict[str, int]) -> dict[str, torch.Tensor]:
    """For each set, how much the loss hangs on each channel: |weight · gradient|, summed over everything that it touches."""
    score = {name: torch.zeros(size) for name, size in sizes.items()}
    for _ in range(BATCHES):
        unet.zero_grad()
        x0, text = training.draw(32, .1)
        loss_of(unet, x0, text).backward()
        for name, parameter in unet.named_parameters():
            felt = parameter.detach() * parameter.grad
            for axis, parts in enumerate(axes(name)[:felt.dim()]):
                if parts:
                    whole = felt.sum([d for d in range(felt.dim()) if d != axis])
                    for part, piece in zip(parts, whole.split([sizes[p] for p in parts])):
                        score[part] += piece.abs()
    return score


def chosen(score: dict[str, torch.Tensor], wanted: dict[str, int], groups: int) -> dict[str, torch.Tensor]:
    """The channels to keep, in order: whole heads, elsewhere as many of each group that is normalised together."""
    kept = {}
    for name, values in score.items():
        size = HEAD if name.endswith(".heads") else 1
        rows = values.view(1, -1, size).sum(2) if size > 1 else values.view(groups, -1) if len(values) % groups == 0 else values.view(1, -1)
        many = wanted[name] // size // len(rows)
        place = rows.topk(many, 1).indices.sort(1).values + torch.arange(len(rows))[:, None] * rows.shape[1]
        kept[name] = (place.view(-1, 1) * size + torch.arange(size)).flatten()
    return kept


def narrowed(wide: dict[str, torch.Tensor], kept: dict[str, torch.Tensor], sizes: dict[str, int]) -> dict[str, torch.Tensor]:
    out = {}
    for name, tensor in wide.items():
        for axis, parts in enumerate(axes(name)[:tensor.dim()]):
            if parts:
                starts = torch.tensor([0, *(sizes[p] for p in parts)]).cumsum(0)
                tensor = tensor.index_select(axis, torch.cat([kept[p] + s for p, s in zip(parts, starts)]))
        out[name] = tensor.contiguous()
    return out


def times(weight: torch.Tensor, wide, narrow) -> torch.Tensor:
    """The first layer of the time embedding for fewer sinusoids: what comes nearest to the old one over all times. [E, 64] → [E, 48]"""
    t = torch.arange(noise.STEPS)
    return torch.linalg.lstsq(narrow.time_proj(t), wide.time_proj(t) @ weight.t()).solution.t().contiguous()


def run(run) -> None:
    """Stage `narrow`: from the wide UNet in `--option from=DIR` (a folder with unet/) to OUT/base/unet of network.SHAPE."""
    wide, narrow = network.load(Path(run.options["from"]), trainable=True), network.new()
    shapes, smaller = ({k: v.shape for k, v in unet.state_dict().items()} for unet in (wide, narrow))
    sizes = _sets(shapes)
    kept = chosen(importance(wide, TrainingSet(run.out), sizes), _sets(smaller), narrow.config.norm_num_groups)
    state = narrowed(wide.state_dict(), kept, sizes)
    first = "time_embedding.linear_1.weight"
    state[first] = times(state[first], wide, narrow)
    narrow.load_state_dict(state)
    network.save(narrow, run.out / "base")
    print(f"{sum(v.numel() for v in wide.parameters())} numbers become {sum(v.numel() for v in narrow.parameters())}", flush=True)
