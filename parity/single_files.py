"""Checkpoints in one file: where diffusers' own converters find each tensor, told by tensors that are marked."""

import gzip
import json
import re
import tempfile
from pathlib import Path

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from diffusers.loaders import single_file_utils as converters
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from . import prompts

VOCABULARY = Path(__file__).parent.parent / "assets" / "clip" / "bpe_simple_vocab_16e6.txt.gz"
UNET, VAE = "model.diffusion_model.", "first_stage_model."

RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
          "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
ENDS = {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2", "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2", "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2"}

CROSS, PLAIN = "CrossAttn{}Block2D", "{}Block2D"


def unet(blocks, channels, **config):
    """blocks: X with transformers, D without; the decoder mirrors them."""
    kinds = [CROSS if b == "X" else PLAIN for b in blocks]
    return {
        "in_channels": 4, "out_channels": 4, "block_out_channels": channels, "layers_per_block": 2,
        "down_block_types": [k.format("Down") for k in kinds], "up_block_types": [k.format("Up") for k in reversed(kinds)], **config,
    }


def clip(width, layers, act, projection):
    return {"vocab_size": 49408, "hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": layers,
            "num_attention_heads": max(1, width // 64), "max_position_embeddings": 77, "hidden_act": act, "projection_dim": projection,
            "eos_token_id": 49407, "bos_token_id": 49406, "pad_token_id": 1}


def autoencoder(scaling, upcast):
    return {"in_channels": 3, "out_channels": 3, "latent_channels": 4, "block_out_channels": [32, 64], "layers_per_block": 2,
            "down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2, "scaling_factor": scaling,
            "force_upcast": upcast}


# Real structures, narrow: what a file's names and shapes tell, and what they do not.
FAMILIES = {
    "sd1": {
        "unet": unet("XXXD", [32, 64, 64, 64], sample_size=64, cross_attention_dim=64, attention_head_dim=8),
        "vae": autoencoder(.18215, False), "text": [clip(64, 2, "quick_gelu", 64)],
    },
    "sd2": {
        "unet": unet("XXXD", [64, 64, 128, 128], sample_size=96, cross_attention_dim=128, attention_head_dim=[1, 1, 2, 2], use_linear_projection=True),
        "vae": autoencoder(.18215, False), "text": [clip(128, 2, "gelu", 96)],
    },
    "sdxl": {
        "unet": unet("DXX", [64, 64, 128], sample_size=128, cross_attention_dim=192, attention_head_dim=[1, 1, 2], use_linear_projection=True,
                     transformer_layers_per_block=[1, 2, 3], addition_embed_type="text_time", addition_time_embed_dim=256,
                     projection_class_embeddings_input_dim=96 + 6 * 256),
        "vae": autoencoder(.13025, True), "text": [clip(64, 2, "quick_gelu", 64), clip(128, 3, "gelu", 96)],
    },
}


def unet_names(names, layers=2):
    """diffusers' names → Stability's, so many layers a block."""
    return {name: UNET + unet_name(name, names, layers) for name in names}


def unet_name(name, names, layers):
    layer, end = name.rsplit(".", 1)
    if layer in ENDS:
        return f"{ENDS[layer]}.{end}"
    if middle := re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.+)", layer):
        kind, j, rest = middle.groups()
        return f"middle_block.{2 * int(j)}.{RESNET[rest]}.{end}" if kind == "resnets" else f"middle_block.1.{rest}.{end}"
    side, i, kind, j, rest = re.match(r"(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.+)", layer).groups()
    where, n = ("input_blocks", 1 + (layers + 1) * int(i) + int(j)) if side == "down" else ("output_blocks", (layers + 1) * int(i) + int(j))
    if kind == "resnets":
        return f"{where}.{n}.0.{RESNET[rest]}.{end}"
    if kind == "attentions":
        return f"{where}.{n}.1.{rest}.{end}"
    if kind == "downsamplers":
        return f"input_blocks.{(layers + 1) * (int(i) + 1)}.0.op.{end}"
    attends = any(other.startswith(f"up_blocks.{i}.attentions") for other in names)
    return f"output_blocks.{(layers + 1) * int(i) + layers}.{2 if attends else 1}.conv.{end}"


def vae_name(name, levels):
    """diffusers' name → Stability's."""
    if name.startswith(("quant_conv", "post_quant_conv")):
        return VAE + name
    name = re.sub(r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2", name)
    name = re.sub(r"up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"up.{levels - 1 - int(m[1])}.block.{m[2]}", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{levels - 1 - int(m[1])}.upsample", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    for new, old in {"mid_block.attentions.0.group_norm": "mid.attn_1.norm", "mid_block.attentions.0.to_out.0": "mid.attn_1.proj_out",
                     "mid_block.attentions.0.to_": "mid.attn_1.", "conv_norm_out": "norm_out", "conv_shortcut": "nin_shortcut"}.items():
        name = name.replace(new, old)
    return VAE + name


def marked(shapes):
    """Tensors that say which they are, and each row its third: 4 · number + third."""
    found = {}
    for number, (key, shape) in enumerate(shapes.items()):
        value = torch.full(shape, 4. * number)
        if "in_proj" in key:
            value += torch.arange(3.).repeat_interleave(shape[0] // 3).reshape(-1, *[1] * (len(shape) - 1))
        found[key] = value
    return found


def places(converted, shapes, wanted):
    """For each tensor that the model wants: key, third, turned, shape. Refuses where the converter left one out."""
    keys, found = list(shapes), {}
    for name, shape in wanted.items():
        value = converted[name]
        mark = int(value.flatten()[0])
        key = keys[mark // 4]
        third = mark % 4 if "in_proj" in key else None
        found[name] = [key, third, key.endswith("text_projection"), list(shape)]
        if not (value == mark).all() or value.numel() != torch.Size(shape).numel():
            raise RuntimeError(f"{name} came from more than one place")
    return found


def shapes_of(model):
    return {k: list(v.shape) for k, v in model.state_dict().items() if not k.endswith("position_ids")}


def unet_places(config):
    wanted = shapes_of(UNet2DConditionModel.from_config(config))
    names = unet_names(wanted)
    shapes = {names[k]: s for k, s in wanted.items()}
    converted = converters.convert_ldm_unet_checkpoint(marked(shapes), {**UNet2DConditionModel.from_config(config).config})
    return shapes, places(converted, shapes, wanted)


def vae_places(config):
    wanted = shapes_of(AutoencoderKL.from_config(config))
    shapes = {vae_name(k, len(config["block_out_channels"])): s for k, s in wanted.items()}
    # Stored as convolutions of one pixel.
    shapes = {k: [*s, 1, 1] if re.search(r"attn_1\.(q|k|v|proj_out)\.weight", k) else s for k, s in shapes.items()}
    return shapes, places(converters.convert_ldm_vae_checkpoint(marked(shapes), config), shapes, wanted)


def with_prefix(name):
    return name if name.startswith(("text_model.", "text_projection")) else f"text_model.{name}"


def clip_places(config, prefix):
    wanted = {with_prefix(k): s for k, s in shapes_of(CLIPTextModel(CLIPTextConfig(**config))).items()}
    shapes = {f"{prefix}{k}": s for k, s in wanted.items()}
    return shapes, places(converters.convert_ldm_clip_checkpoint(marked(shapes)), shapes, wanted)


def open_clip_places(config, prefix, projected, dropped):
    """dropped: layers that are in the file and not in the model."""
    cls = CLIPTextModelWithProjection if projected else CLIPTextModel
    model = cls(CLIPTextConfig(**config))
    wanted = {with_prefix(k): s for k, s in shapes_of(model).items()}
    width, inner = config["hidden_size"], config["intermediate_size"]
    shapes = {"positional_embedding": [77, width], "text_projection": [width, config["projection_dim"]], "logit_scale": [],
              "token_embedding.weight": [49408, width], "ln_final.weight": [width], "ln_final.bias": [width]}
    for i in range(config["num_hidden_layers"] + dropped):
        block = f"transformer.resblocks.{i}"
        shapes |= {f"{block}.ln_{n}.{end}": [width] for n in (1, 2) for end in ("weight", "bias")}
        shapes |= {f"{block}.attn.in_proj_weight": [3 * width, width], f"{block}.attn.in_proj_bias": [3 * width],
                   f"{block}.attn.out_proj.weight": [width, width], f"{block}.attn.out_proj.bias": [width],
                   f"{block}.mlp.c_fc.weight": [inner, width], f"{block}.mlp.c_fc.bias": [inner],
                   f"{block}.mlp.c_proj.weight": [width, inner], f"{block}.mlp.c_proj.bias": [width]}
    shapes = {prefix + k: s for k, s in shapes.items()}
    model.config.hidden_size = width
    tensors = marked(shapes)
    if f"{prefix}text_projection" in tensors and config["projection_dim"] != width:
        # The converter cuts the fused rows by this tensor's rows.
        assert tensors[f"{prefix}text_projection"].shape[0] == width
    converted = converters.convert_open_clip_checkpoint(model, tensors, prefix)
    return shapes, places({with_prefix(k): v for k, v in converted.items()}, shapes, wanted)


def record_family(family, parts):
    shapes, where = {}, {}
    def add(name, found):
        shapes.update(found[0])
        where[name] = found[1]
    add("unet", unet_places(parts["unet"]))
    add("vae", vae_places(parts["vae"]))
    first = parts["text"][0]
    if family == "sd1":
        add("text_encoder", clip_places(first, "cond_stage_model.transformer."))
    elif family == "sd2":
        add("text_encoder", open_clip_places(first, "cond_stage_model.model.", False, 1))
    else:
        add("text_encoder", clip_places(first, "conditioner.embedders.0.transformer."))
        add("text_encoder_2", open_clip_places(parts["text"][1], "conditioner.embedders.1.model.", True, 0))
    return {"configs": parts, "tensors": [[k, s] for k, s in shapes.items()], "places": where}


class Block(torch.nn.Module):
    """TAESD's residual block (taesd.py of madebyollin/taesd, MIT)."""

    def __init__(self, n):
        super().__init__()
        conv = lambda: torch.nn.Conv2d(n, n, 3, padding=1)
        self.conv = torch.nn.Sequential(conv(), torch.nn.ReLU(), conv(), torch.nn.ReLU(), conv())

    def forward(self, x):
        return torch.relu(self.conv(x) + x)


class Bend(torch.nn.Module):
    def forward(self, x):
        return torch.tanh(x / 3) * 3


def taesd(half):
    """One half as TAESD's own files number its layers."""
    conv = lambda a, b, **options: torch.nn.Conv2d(a, b, 3, padding=1, **options)
    blocks = lambda n: [Block(64) for _ in range(n)]
    if half == "decoder":
        level = lambda: [*blocks(3), torch.nn.Upsample(scale_factor=2), conv(64, 64, bias=False)]
        return torch.nn.Sequential(Bend(), conv(4, 64), torch.nn.ReLU(), *level(), *level(), *level(), *blocks(1), conv(64, 3))
    level = lambda: [conv(64, 64, stride=2, bias=False), *blocks(3)]
    return torch.nn.Sequential(conv(3, 64), *blocks(1), *level(), *level(), *level(), conv(64, 4))


def record_taesd():
    """Names of both halves beside diffusers', proved by the pictures that both make of the same numbers."""
    torch.manual_seed(0)
    model, found = AutoencoderTiny(), {}
    for half in ("encoder", "decoder"):
        own, theirs = taesd(half), {k: v for k, v in model.state_dict().items() if k.startswith(f"{half}.")}
        names = list(own.state_dict())
        own.load_state_dict(dict(zip(names, theirs.values(), strict=True)))
        x = torch.randn(1, 4 if half == "decoder" else 3, 16, 24)
        image = own(x) * 2 - 1 if half == "decoder" else own((x + 1) / 2)
        assert torch.equal(image, getattr(model, half)(x)), half
        found[half] = [[a, b, list(v.shape)] for a, (b, v) in zip(names, theirs.items(), strict=True)]
    return found


def record_autoencoder():
    """An autoencoder alone: Stability's names without the prefix, as sdxl_vae.safetensors and vae-ft-mse-840000 have them."""
    config = FAMILIES["sdxl"]["vae"]
    wanted = shapes_of(AutoencoderKL.from_config(config))
    shapes = {vae_name(k, len(config["block_out_channels"])).removeprefix(VAE): s for k, s in wanted.items()}
    shapes = {k: [*s, 1, 1] if re.search(r"attn_1\.(q|k|v|proj_out)\.weight", k) else s for k, s in shapes.items()}
    found = places(converters.convert_ldm_vae_checkpoint(marked(shapes), config), shapes, wanted)
    return {"config": config, "tensors": [[k, s] for k, s in shapes.items()], "places": {k: p[0] for k, p in found.items()}}


def vocabulary():
    """As openai/CLIP's simple_tokenizer counts its words."""
    merges = gzip.decompress(VOCABULARY.read_bytes()).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in printed] + [chr(256 + i) for i in range(256 - len(printed))]
    words = [*letters, *(w + "</w>" for w in letters), *("".join(m.split()) for m in merges), "<|startoftext|>", "<|endoftext|>"]
    return {word: i for i, word in enumerate(words)}, merges


def record_vocabulary():
    vocab, merges = vocabulary()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vocab.json").write_text(json.dumps(vocab))
        (Path(folder) / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
        tokenizers = {pad: CLIPTokenizer(f"{folder}/vocab.json", f"{folder}/merges.txt", pad_token=pad) for pad in ("<|endoftext|>", "!")}
        encode = lambda t, p: t(p, padding="max_length", max_length=77, truncation=True).input_ids
        return {pad: [encode(t, p) for p in prompts.PROMPTS] for pad, t in tokenizers.items()} | {"prompts": prompts.PROMPTS}


def record(store):
    for family, parts in FAMILIES.items():
        store.put(f"single/{family}", record_family(family, parts))
    store.put("single/taesd", record_taesd())
    store.put("single/autoencoder", record_autoencoder())
    store.put("single/vocabulary", record_vocabulary())
