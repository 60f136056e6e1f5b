"""Knows low-rank adapters on a denoiser: where they attach, how they act, and the key formats that people's files have."""
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

SITES = {
    "noxattn": lambda name: "attn2" not in name and any(part in name for part in ("attn1", "resnets", "samplers")),
    "attention": lambda name: "attn1" in name or "attn2" in name,
    "everything": lambda name: any(part in name for part in ("attn1", "attn2", "ff.net", "resnets", "samplers", "proj_in", "proj_out", "conv_in", "conv_out")),
    "transformer": lambda name: name.startswith(("noise_refiner.", "context_refiner.", "layers.")),
}
"""noxattn is the Concept Sliders trainer's default: everything but cross-attention."""


class Adapter(torch.nn.Module):
    """W x + scale · (alpha / rank) · up(down(x)) on every linear layer and convolution of a network whose name `sites` accepts.
    Attached by hooks; `scale` 0 leaves the network as it was."""

    def __init__(self, network: torch.nn.Module, sites: str, rank: int, alpha: float):
        super().__init__()
        self.rank, self.alpha, self.scale, self.names = rank, alpha, 0.0, []
        self.down, self.up = torch.nn.ModuleList(), torch.nn.ModuleList()
        for name, layer in network.named_modules():
            if SITES[sites](name) and isinstance(layer, torch.nn.Linear | torch.nn.Conv2d):
                self._attach(name, layer)

    def _attach(self, name: str, layer: torch.nn.Module) -> None:
        if isinstance(layer, torch.nn.Linear):
            rank = min(self.rank, layer.in_features, layer.out_features)
            down, up = torch.nn.Linear(layer.in_features, rank, bias=False), torch.nn.Linear(rank, layer.out_features, bias=False)
        else:
            rank = min(self.rank, layer.in_channels, layer.out_channels)
            down = torch.nn.Conv2d(layer.in_channels, rank, layer.kernel_size, layer.stride, layer.padding, bias=False)
            up = torch.nn.Conv2d(rank, layer.out_channels, 1, bias=False)
        torch.nn.init.kaiming_uniform_(down.weight, a=1)
        torch.nn.init.zeros_(up.weight)
        self.names.append(name)
        self.down.append(down)
        self.up.append(up)
        layer.register_forward_hook(lambda _, given, out: out if self.scale == 0 else out + up(down(given[0])) * (self.scale * self.alpha / self.rank))

    def pairs(self):
        """(name of the layer, down weight [r, in, …], up weight [out, r, …])"""
        return ((n, d.weight.detach().clone(), u.weight.detach().clone()) for n, d, u in zip(self.names, self.down, self.up))


def save_kohya(adapter: Adapter, file: Path) -> None:
    """As the Concept Sliders trainer writes it: lora_unet_ and the layer's name with underscores, an alpha for each layer."""
    tensors = {}
    for name, down, up in adapter.pairs():
        key = "lora_unet_" + name.replace(".", "_")
        tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up, f"{key}.alpha": torch.tensor(float(adapter.alpha))}
    _save(tensors, file)


def save_peft(adapter: Adapter, file: Path, network: str = "unet") -> None:
    """As diffusers writes it: the network's name in the pipeline, the layer's name, lora_A and lora_B. It has no alpha, so the scale goes into B."""
    tensors = {}
    for name, down, up in adapter.pairs():
        tensors |= {f"{network}.{name}.lora_A.weight": down, f"{network}.{name}.lora_B.weight": up * (adapter.alpha / adapter.rank)}
    _save(tensors, file)


def merge_peft(module: torch.nn.Module, file: Path, network: str = "unet") -> None:
    """Adds up(down(x)) of every layer in a file by `save_peft` to the layer's weight."""
    tensors = load_file(file)
    for name in sorted({key.removeprefix(f"{network}.").rsplit(".lora_", 1)[0] for key in tensors}):
        down, up = (tensors[f"{network}.{name}.lora_{part}.weight"].float() for part in "AB")
        weight = module.get_submodule(name).weight.data
        weight += torch.einsum("or,r...->o...", up.flatten(1), down).reshape(weight.shape)


def _save(tensors: dict[str, torch.Tensor], file: Path) -> None:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in tensors.items()}, file)
    print(Path(file).name, sum(v.numel() for v in tensors.values()), "numbers", flush=True)
