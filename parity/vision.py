"""Records the networks that measure pictures, each by the program it comes from, with weights grown from seeds."""

import re

import torch

from .weights import by_name, grow_one, noise

# Grown values that have to be positive: variances of a norm, and LPIPS's weights of layers.
POSITIVE = re.compile(r"running_var$|^lin\d")


def grown_weights(seed, module, rename=lambda name: name):
    """Fills a module and describes what it was filled with, under the names a checkpoint has."""
    own = {rename(n): n for n, _ in module.state_dict().items()}
    shapes = {n: list(t.shape) for n, t in module.state_dict().items()}
    tensors = by_name((new, shapes[old]) for new, old in own.items() if "num_batches" not in new and not skipped(old))
    values = {own[name]: grow(name, shape, seed + i) for i, (name, shape) in enumerate(tensors)}
    missing = module.load_state_dict(values, strict=False)
    assert not missing.unexpected_keys, missing
    return {"seed": seed, "tensors": tensors}


def grow(name, shape, seed):
    value = grow_one(name, shape, seed)
    return value.abs() + 0.5 if POSITIVE.search(name) else value


def skipped(name):
    return name.startswith(("scaling_layer", "lins.", "AuxLogits"))


def image(seed, *shape, scale=1.0, shift=0.0):
    return {"seed": seed, "shape": list(shape), "scale": scale, "shift": shift}


def pixels(entry):
    return noise(entry["shape"], entry["seed"]) * entry["scale"] + entry["shift"]


def put(store, name, about, outputs):
    store.put(f"vision/{name}", about, outputs)


# --- DINO and DINOv2 as transformers has them ----------------------------------------------------------------------------------

OLD = [
    (r"^layers\.", "encoder.layer."),
    (r"attention\.q_proj", "attention.attention.query"),
    (r"attention\.k_proj", "attention.attention.key"),
    (r"attention\.v_proj", "attention.attention.value"),
    (r"attention\.o_proj", "attention.output.dense"),
]
OLD_VIT = [*OLD, (r"mlp\.fc1", "intermediate.dense"), (r"mlp\.fc2", "output.dense")]


def renamed(rules):
    def rename(name):
        for pattern, to in rules:
            name = re.sub(pattern, to, name)
        return name

    return rename


TOWER = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
TRANSFORMERS = {
    # A file as transformers 4 wrote it, and as transformers 5 names its parts.
    "vit": ("ViT", {**TOWER, "intermediate_size": 192, "image_size": 224, "patch_size": 32}, OLD_VIT),
    "vit-5": ("ViT", {**TOWER, "intermediate_size": 192, "image_size": 224, "patch_size": 32, "layer_norm_eps": 1e-6}, []),
    # Positions of 518 pixels on a grid of 224.
    "dinov2": ("Dinov2", {**TOWER, "mlp_ratio": 3, "image_size": 518, "patch_size": 14}, OLD),
    "dinov2-5": ("Dinov2", {**TOWER, "use_swiglu_ffn": True, "image_size": 392, "patch_size": 56}, []),
    "dinov2-registers": ("Dinov2WithRegisters", {**TOWER, "image_size": 518, "patch_size": 14}, OLD),
}


def record_transformers(store):
    import transformers

    for i, (name, (family, config, rules)) in enumerate(TRANSFORMERS.items()):
        settings = getattr(transformers, f"{family}Config")(**config)
        model = getattr(transformers, f"{family}Model")(settings).eval()
        weights = grown_weights(8000 + 500 * i, model, renamed(rules))
        given = image(90 + i, 2, 3, 224, 224)
        kept = {key: getattr(settings, key) for key in ("model_type", "num_attention_heads", "hidden_act", "layer_norm_eps")}
        features = model(pixel_values=pixels(given)).last_hidden_state[:, 0]
        put(store, name, {"network": "vit", "config": kept, "weights": weights, "image": given}, {"features": features})


# --- DreamSim: its own towers, with the LoRA beside and merged -------------------------------------------------------------------


def record_dreamsim(store):
    import peft
    from dreamsim import model as package
    from dreamsim.feature_extraction import extractor
    from dreamsim.feature_extraction.load_clip_as_dino import QuickGELU
    from dreamsim.feature_extraction.vision_transformer import VisionTransformer

    def tower(kind, load_dir=None):
        norm = torch.nn.LayerNorm
        vit = VisionTransformer(
            patch_size=32, embed_dim=128, depth=12, num_heads=2, mlp_ratio=1.5, qkv_bias=True,
            norm_layer=lambda d: norm(d, eps=1e-6 if "dino" in kind else 1e-5),
        )  # fmt: skip
        if "dino" in kind:
            return vit
        vit.pos_drop = norm(128, eps=1e-5)
        if "open" not in kind:
            for block in vit.blocks:
                block.mlp.act = QuickGELU()
        return vit, torch.zeros(128, 48)

    # DINO's own program, whose positions were learnt at another size.
    dino = VisionTransformer(
        img_size=[320], patch_size=32, embed_dim=128, depth=2, num_heads=2, qkv_bias=True,
        norm_layer=lambda d: torch.nn.LayerNorm(d, eps=1e-6),
    ).eval()  # fmt: skip
    given = image(89, 2, 3, 224, 224)
    about = {"network": "vit", "config": None, "weights": grown_weights(11_000, dino), "image": given}
    put(store, "dino-original", about, {"features": dino(pixels(given))})

    extractor.ViTExtractor.create_model = staticmethod(tower)
    extractor.ViTExtractor.patch_vit_resolution = staticmethod(lambda vit, stride: vit)
    cases = {
        "dreamsim-ensemble": ("dino_vitb16,clip_vitb16,open_clip_vitb16", "cls,embedding,embedding"),
        "dreamsim-dino": ("dino_vitb16", "cls"),
    }
    for i, (name, (models, feats)) in enumerate(cases.items()):
        count = len(models.split(","))
        model = package.PerceptualModel(models, feats, ",".join(["32"] * count), lora=True, normalize_embeds=True, device="cpu").eval()
        weights = grown_weights(12_000 + 2000 * i, model)
        projections = []
        for b, branch in enumerate(model.extractor_list):
            if hasattr(branch, "proj"):
                branch.proj = grow("proj", [128, 48], 20_000 + b)
                projections.append([f"extractor_list.{b}.proj", 20_000 + b])
        config = peft.LoraConfig(r=4, lora_alpha=2.0, target_modules=["qkv"], lora_dropout=0.3)
        adapted = peft.get_peft_model(model, config).eval()
        adapter = peft.get_peft_model_state_dict(adapted)
        lora = {"seed": 30_000, "tensors": by_name((n, t.shape) for n, t in adapter.items()), "scale": 2.0 / 4}
        values = {n: grow(n, shape, lora["seed"] + k) for k, (n, shape) in enumerate(lora["tensors"])}
        peft.set_peft_model_state_dict(adapted, values)
        given = image(95 + i, 2, 3, 224, 224, scale=0.25, shift=0.5)
        features = adapted.base_model.model.embed(pixels(given))
        distance = adapted.base_model.model(pixels(given)[:1], pixels(given)[1:])
        about = {"network": "dreamsim", "weights": weights, "projections": projections, "lora": lora, "image": given}
        put(store, name, about, {"features": features, "distance": distance})


# --- LPIPS and Inception -----------------------------------------------------------------------------------------------------------


def torchvision_name(trunk):
    """net.slice2.3.weight → features.3.weight: the package keeps torchvision's indices."""
    return lambda name: re.sub(r"^net\.slice\d\.", "features.", name)


def record_lpips(store):
    import lpips

    for i, trunk in enumerate(["alex", "vgg"]):
        model = lpips.LPIPS(net=trunk, pnet_rand=True, pretrained=False, verbose=False).eval()
        weights = grown_weights(40_000 + 100 * i, model, torchvision_name(trunk))
        for k, lin in enumerate(model.lins):
            lin.load_state_dict({"model.1.weight": getattr(model, f"lin{k}").state_dict()["model.1.weight"]})
        given = image(70 + i, 2, 3, 80, 112, scale=0.5)
        x = pixels(given)
        put(store, f"lpips-{trunk}", {"network": "lpips", "weights": weights, "image": given}, {"distance": model(x[:1], x[1:]).flatten()})


def record_inception(store):
    from torch_fidelity import feature_extractor_inceptionv3 as package

    class Grown(package.FeatureExtractorInceptionV3):
        def load_state_dict(self, *_):
            self.description = grown_weights(50_000, super_load(self))

    # The constructor reads a file at its end: nothing is read, the module is filled instead.
    package.load_state_dict_from_url = lambda *_, **__: {}

    class Loader:
        def __init__(self, module):
            self.module = module

        def state_dict(self):
            return self.module.state_dict()

        def load_state_dict(self, values, strict):
            return torch.nn.Module.load_state_dict(self.module, values, strict=strict)

    def super_load(module):
        return Loader(module)

    model = Grown("inception", ["2048", "logits_unbiased"])
    size = [2, 3, 40, 52]
    bytes_ = (noise(size, 60) * 60 + 128).clamp(0, 255).to(torch.uint8)
    features, logits = model(bytes_)
    about = {"network": "inception", "weights": model.description, "image": {"seed": 60, "shape": size, "scale": 60, "shift": 128}}
    put(store, "inception", about, {"features": features, "logits": logits, "bytes": bytes_})


# --- preparation -----------------------------------------------------------------------------------------------------------------


def record_sizes(store):
    from cleanfid.resize import make_resizer
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x as tensorflow

    outputs, sizes = {}, [[13, 9, 29, 17], [40, 31, 17, 13], [8, 8, 8, 20]]
    for i, (height, width, h, w) in enumerate(sizes):
        bytes_ = (noise([3, height, width], 80 + i) * 70 + 128).clamp(0, 255).to(torch.uint8)
        outputs[f"{i}/bytes"] = bytes_.permute(1, 2, 0)
        outputs[f"{i}/tensorflow"] = tensorflow(bytes_[None].float(), size=(h, w), align_corners=False)[0]
        clean = make_resizer("PIL", False, "bicubic", (w, h))(bytes_.permute(1, 2, 0).numpy())
        outputs[f"{i}/clean"] = torch.from_numpy(clean).permute(2, 0, 1)
    store.put("resize", {"sizes": sizes}, outputs)


def record(store):
    record_transformers(store)
    record_dreamsim(store)
    record_lpips(store)
    record_inception(store)
    record_sizes(store)
