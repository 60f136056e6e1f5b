"""
Records runs with adapters in every dialect: what diffusers and PEFT load is loaded by them; what they do not load (LoHa, LoKr, LoCon
with a middle, kohya's DoRA, whole differences) is worked out here by the LyCORIS formulas and written into the weights.
"""

import json
import subprocess
import tempfile
from pathlib import Path

import diffusers
import torch
from safetensors.torch import save_file

from .component_cases import CHECKPOINTS, components
from .components import write_checkpoint
from .runs import Watch, generators_of, hush, open_pipeline, options_of, quiet

PROMPT = "a smiling red cartoon character wearing a top hat"
REQUEST = {"mode": "base", "prompts": [PROMPT], "seeds": [3], "steps": 2, "guidance": 3, "size": {"width": 40, "height": 24}}
RANK = 2


def noise_of(seed):
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(shape, generator=generator)


def layers(model, keep):
    """Every linear layer and convolution whose place in the list `keep` accepts."""
    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    found = [(n, m) for n, m in model.named_modules() if isinstance(m, kinds) and "embeddings" not in n]
    return [pair for i, pair in enumerate(found) if keep(i, pair[0])]


def factors(layer, draw, rank=RANK):
    """down and up as LoRA has them; scaled so that the change is felt."""
    shape = layer.weight.shape
    down = draw(rank, *shape[1:]) / shape[1:].numel() ** 0.5
    up = draw(shape[0], rank, *[1] * (len(shape) - 2)) * 0.3
    return down, up


def text_name(name):
    return name if name.startswith(("text_model.", "text_projection")) else f"text_model.{name}"


def every(n, also=lambda name: False):
    return lambda i, name: i % n == 0 or also(name)


# --- dialects that diffusers loads -------------------------------------------------------------------------------------


def peft(pipe, draw):
    tensors = {}
    for name, layer in layers(pipe.unet, every(4)):
        down, up = factors(layer, draw)
        tensors |= {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up}
    for part in ("text_encoder", "text_encoder_2"):
        for name, layer in layers(getattr(pipe, part), every(3)):
            down, up = factors(layer, draw)
            tensors |= {f"{part}.{text_name(name)}.lora_A.weight": down, f"{part}.{text_name(name)}.lora_B.weight": up}
    return tensors, {}


def peft_alpha(pipe, draw):
    """Alpha stands in the metadata alone."""
    tensors, _ = peft(pipe, draw)
    tensors = {k: v for k, v in tensors.items() if k.startswith("unet.")}
    modules = sorted({k.removeprefix("unet.").rsplit(".lora_", 1)[0] for k in tensors})
    config = {"unet.r": RANK, "unet.lora_alpha": 5, "unet.target_modules": modules, "unet.peft_type": "LORA", "unet.bias": "none",
              "unet.lora_dropout": 0.0, "unet.alpha_pattern": {}, "unet.rank_pattern": {}, "unet.init_lora_weights": True,
              "unet.use_dora": False, "unet.use_rslora": False}  # fmt: skip
    return tensors, {"format": "pt", "lora_adapter_metadata": json.dumps(config)}


def peft_dora(pipe, draw):
    tensors = {}
    for name, layer in layers(pipe.unet, lambda i, name: "attn" in name and i % 5 == 0):
        down, up = factors(layer, draw)
        lengths = layer.weight.norm(dim=1) * (1 + 0.2 * draw(layer.weight.shape[0]))
        key = f"unet.{name}"
        tensors |= {f"{key}.lora_A.weight": down, f"{key}.lora_B.weight": up, f"{key}.lora_magnitude_vector": lengths}
    return tensors, {}


def diffusers_processors(pipe, draw):
    """As diffusers wrote them before 0.22."""
    tensors = {}
    for name, layer in layers(pipe.unet, lambda _, name: ".attn" in name and ".to_" in name and "down_blocks" in name):
        down, up = factors(layer, draw)
        attention, which = name.removesuffix(".0").rsplit(".", 1)
        key = f"unet.{attention}.processor.{which}_lora"
        tensors |= {f"{key}.down.weight": down, f"{key}.up.weight": up}
    return tensors, {}


def kohya(names, prefix, alpha=1.0):
    """lora_down, lora_up and alpha, under names with underscores."""

    def written(model, keep, draw):
        tensors = {}
        for name, layer in layers(model, keep):
            down, up = factors(layer, draw)
            key = prefix + names(name).replace(".", "_")
            tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up, f"{key}.alpha": torch.tensor(alpha)}
        return tensors

    return written


def sgm(name):
    """Stability's name of a layer of the tiny SDXL UNet (three levels of two), by the rule of diffusers' own conversion."""
    inside = {"conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
    parts = name.split(".")
    if parts[0] == "down_blocks":
        block, kind, j, rest = int(parts[1]), parts[2], int(parts[3]), ".".join(parts[4:])
        place = 1 + 3 * block + (2 if kind == "downsamplers" else j)
        return f"input_blocks.{place}.0.op" if kind == "downsamplers" else f"input_blocks.{place}.{int(kind == 'attentions')}.{inside.get(rest, rest)}"
    if parts[0] == "up_blocks":
        block, kind, j, rest = int(parts[1]), parts[2], int(parts[3]), ".".join(parts[4:])
        place = 3 * block + (2 if kind == "upsamplers" else j)
        return f"output_blocks.{place}.2.conv" if kind == "upsamplers" else f"output_blocks.{place}.{int(kind == 'attentions')}.{inside.get(rest, rest)}"
    kind, j, rest = parts[1], int(parts[2]), ".".join(parts[3:])
    return f"middle_block.1.{rest}" if kind == "attentions" else f"middle_block.{2 * j}.{inside.get(rest, rest)}"


def kohya_sgm(pipe, draw):
    blocks = lambda i, name: "block" in name and i % 4 == 1  # noqa: E731
    tensors = kohya(sgm, "lora_unet_", 1.5)(pipe.unet, blocks, draw)
    tensors |= kohya(text_name, "lora_te1_", 1.0)(pipe.text_encoder, every(3), draw)
    tensors |= kohya(text_name, "lora_te2_", 1.0)(pipe.text_encoder_2, lambda i, name: i % 3 == 0 and "projection" not in name, draw)
    return tensors, {}


def kohya_sd1(pipe, draw):
    blocks = lambda i, name: "attentions" in name and i % 2 == 0  # noqa: E731
    tensors = kohya(lambda n: n, "lora_unet_", 3.0)(pipe.unet, blocks, draw)
    # diffusers 0.42.1 with transformers 5 leaves out q_proj and k_proj of this file's text encoder without a word: only the others are recorded.
    feedforward = lambda i, name: "mlp" in name  # noqa: E731
    return tensors | kohya(text_name, "lora_te_", 2.0)(pipe.text_encoder, feedforward, draw), {}


def slider(pipe, draw):
    """As the Concept Sliders trainer writes it (c3lier, noxattn): diffusers' names, convolutions too."""
    reached = lambda i, name: ("attn1" in name or "resnets" in name or "samplers" in name) and i % 3 == 0  # noqa: E731
    return kohya(lambda n: n, "lora_unet_", 1.0)(pipe.unet, reached, draw), {}


# --- kinds that diffusers does not load: the formulas, into the weights -------------------------------------------------


def worked_out(keep, make):
    """`make(layer, draw)` gives the tensors of a layer and its new weight; both names and weights are kohya's."""

    def written(pipe, draw):
        tensors = {}
        for name, layer in layers(pipe.unet, keep):
            own, weight, bias = make(layer, draw)
            tensors |= {f"lora_unet_{name.replace('.', '_')}.{k}": v for k, v in own.items()}
            layer.weight.data = weight
            if bias is not None:
                layer.bias.data = bias
        return tensors, {}

    return written


def loha(layer, draw):
    """(w1a w1b) ∘ (w2a w2b) · alpha / r; LyCORIS, modules/loha.py."""
    out, rest = layer.weight.shape[0], layer.weight.shape[1:].numel()
    a1, b1, a2, b2 = draw(out, RANK), draw(RANK, rest), draw(out, RANK), draw(RANK, rest) * 0.05
    change = ((a1 @ b1) * (a2 @ b2)).reshape(layer.weight.shape) * (1.5 / RANK)
    own = {"hada_w1_a": a1, "hada_w1_b": b1, "hada_w2_a": a2, "hada_w2_b": b2, "alpha": torch.tensor(1.5)}
    return own, layer.weight.data + 0.7 * change, None


def loha_tucker(layer, draw):
    out, inputs, *kernel = layer.weight.shape
    t1, t2 = draw(RANK, RANK, *kernel), draw(RANK, RANK, *kernel) * 0.05
    a1, b1, a2, b2 = draw(RANK, out), draw(RANK, inputs), draw(RANK, out), draw(RANK, inputs)
    whole = lambda t, a, b: torch.einsum("i j k l, j r, i p -> p r k l", t, b, a)  # noqa: E731
    change = whole(t1, a1, b1) * whole(t2, a2, b2) * (1.0 / RANK)
    own = {"hada_t1": t1, "hada_w1_a": a1, "hada_w1_b": b1, "hada_t2": t2, "hada_w2_a": a2, "hada_w2_b": b2, "alpha": torch.tensor(1.0)}
    return own, layer.weight.data + 0.7 * change, None


def lokr(layer, draw):
    """w1 ⊗ (w2a w2b) · alpha / r; LyCORIS, modules/lokr.py."""
    out, inputs, *kernel = layer.weight.shape
    w1 = draw(2, 2)
    a, b = draw(out // 2, RANK), draw(RANK, inputs // 2, *kernel) * 0.1
    w2 = (a @ b.reshape(RANK, -1)).reshape(out // 2, inputs // 2, *kernel)
    change = torch.kron(w1.reshape(2, 2, *[1] * len(kernel)), w2) * (3.0 / RANK)
    return {"lokr_w1": w1, "lokr_w2_a": a, "lokr_w2_b": b, "alpha": torch.tensor(3.0)}, layer.weight.data + 0.7 * change, None


def lokr_whole(layer, draw):
    """Two whole factors: alpha does not count."""
    out, inputs, *kernel = layer.weight.shape
    w1, w2 = draw(2, 2), draw(out // 2, inputs // 2, *kernel) * 0.1
    change = torch.kron(w1.reshape(2, 2, *[1] * len(kernel)), w2)
    return {"lokr_w1": w1, "lokr_w2": w2, "alpha": torch.tensor(9.0)}, layer.weight.data + 0.7 * change, None


def locon(layer, draw):
    """up (mid (down x)): LyCORIS, modules/locon.py."""
    out, inputs, *kernel = layer.weight.shape
    down, mid, up = draw(RANK, inputs, 1, 1) / inputs**0.5, draw(RANK, RANK, *kernel), draw(out, RANK, 1, 1) * 0.2
    change = torch.einsum("o r, r s k l, s i -> o i k l", up[..., 0, 0], mid, down[..., 0, 0]) * (1.0 / RANK)
    own = {"lora_down.weight": down, "lora_mid.weight": mid, "lora_up.weight": up, "alpha": torch.tensor(1.0)}
    return own, layer.weight.data + 0.7 * change, None


def dora(layer, draw):
    """m · (W + ΔW) / |W + ΔW|, lengths over inputs as kohya stores them; at scale s: W + s (W′ − W)."""
    down, up = factors(layer, draw)
    weight = layer.weight.data
    moved = weight + (up.flatten(1) @ down.flatten(1)).reshape(weight.shape) * (1.0 / RANK)
    lengths = (weight.transpose(0, 1).flatten(1).norm(dim=1) * (1 + 0.2 * draw(weight.shape[1]))).reshape(1, -1, *[1] * (weight.dim() - 2))
    norms = moved.transpose(0, 1).flatten(1).norm(dim=1).reshape(lengths.shape)
    own = {"lora_down.weight": down, "lora_up.weight": up, "alpha": torch.tensor(1.0), "dora_scale": lengths}
    return own, weight + 0.7 * (moved / norms * lengths - weight), None


def difference(layer, draw):
    change = draw(*layer.weight.shape) * 0.05
    bias = None if layer.bias is None else draw(*layer.bias.shape) * 0.1
    own = {"diff": change} | ({} if bias is None else {"diff_b": bias})
    return own, layer.weight.data + 0.7 * change, None if bias is None else layer.bias.data + 0.7 * bias


some = lambda i, name: "block" in name and i % 9 == 0 and "conv_shortcut" not in name  # noqa: E731
convolutions = lambda i, name: "resnets" in name and name.endswith(("conv1", "conv2")) and i % 5 == 0  # noqa: E731
attention = lambda i, name: "attn" in name and i % 7 == 0  # noqa: E731

LOADED = {
    "peft": ("sdxl", peft), "peft-alpha": ("sdxl", peft_alpha), "peft-dora": ("sdxl", peft_dora),
    "diffusers-processors": ("sdxl", diffusers_processors), "kohya-sgm": ("sdxl", kohya_sgm), "kohya-sd1": ("sd1", kohya_sd1),
    "slider": ("sdxl", slider),
}  # fmt: skip
WORKED_OUT = {
    "loha": ("sdxl", worked_out(some, loha)), "loha-tucker": ("sdxl", worked_out(convolutions, loha_tucker)),
    "lokr": ("sdxl", worked_out(some, lokr)), "lokr-whole": ("sdxl", worked_out(attention, lokr_whole)),
    "locon-mid": ("sdxl", worked_out(convolutions, locon)), "kohya-dora": ("sdxl", worked_out(some, dora)),
    "difference": ("sdxl", worked_out(lambda i, name: "to_out" in name and i % 3 == 0, difference)),
}  # fmt: skip


CONVERTED = ("peft", "kohya-sgm", "slider")
BIN = Path(__file__).parent.parent / "bin" / "variegate.js"


def paint(pipe, request=REQUEST):
    watch = Watch()
    watch.around(pipe.scheduler)
    pipe(**options_of(pipe, request, generators_of(request), request["guidance"]) | {"output_type": "latent"})
    return watch.latents[-1]


def record(store):
    hush()
    for number, (name, (checkpoint, write)) in enumerate({**LOADED, **WORKED_OUT}.items()):
        pipe = open_pipeline(checkpoint)
        saved = {k: v.clone() for k, v in pipe.unet.state_dict().items()}
        tensors, metadata = write(pipe, noise_of(1000 + number))
        tensors = {k: v.contiguous() for k, v in tensors.items()}
        scale = 0.7
        if name in LOADED:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "lora.safetensors"
                save_file(tensors, file, metadata=metadata or None)
                pipe.load_lora_weights(folder, weight_name=file.name, adapter_name="a")
            scale = 1.0 if name == "peft-dora" else 0.7
            pipe.set_adapters(["a"], [scale])
        latents = paint(pipe)
        if name in LOADED:
            pipe.unload_lora_weights()
        pipe.unet.load_state_dict(saved)
        assert (latents - paint_plain(checkpoint)).abs().max() > 0.05, f"{name} is not felt"
        if name in CONVERTED:
            check_converted(checkpoint, tensors, metadata, scale, latents)
        store.put(f"adapters/{name}", {"pair": {"base": checkpoint}, "request": REQUEST, "scale": scale, "metadata": metadata}, {"latents": latents} | {f"file/{k}": v for k, v in tensors.items()})


def check_converted(checkpoint, tensors, metadata, scale, expected):
    """What the project writes loads in diffusers and paints the same: converted both ways, and merged into a folder."""
    with tempfile.TemporaryDirectory() as folder:
        base, file = Path(folder) / "base", Path(folder) / "lora.safetensors"
        write_checkpoint(base, CHECKPOINTS[checkpoint], components())
        save_file(tensors, file, metadata=metadata or None)
        run = lambda *words: subprocess.run(["node", BIN, "adapter", *map(str, words), "--base", str(base)], check=True, capture_output=True)  # noqa: E731
        for dialect in ("peft", "kohya"):
            written = Path(folder) / f"{dialect}.safetensors"
            run("convert", file, "--to", dialect, "--out", written)
            pipe = open_pipeline(checkpoint)
            pipe.load_lora_weights(folder, weight_name=written.name, adapter_name="a")
            pipe.set_adapters(["a"], [scale])
            assert (paint(pipe) - expected).abs().max() < 1e-4, f"converted to {dialect}"
            pipe.unload_lora_weights()
        run("merge", "--lora", f"{file}:{scale}", "--out", Path(folder) / "merged")
        merged = quiet(diffusers.DiffusionPipeline.from_pretrained(Path(folder) / "merged", torch_dtype=torch.float32))
        assert (paint(merged) - expected).abs().max() < 1e-3, "merged"


PLAIN = {}


def paint_plain(checkpoint):
    if checkpoint not in PLAIN:
        PLAIN[checkpoint] = paint(open_pipeline(checkpoint))
    return PLAIN[checkpoint]
