"""Records the strength that PEFT gives each layer of an adapter, for configs with ranks and alphas by pattern and stabilised ranks."""

import peft
import torch

LAYERS = (
    "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q", "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_q",
    "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_v", "mid_block.attentions.0.transformer_blocks.0.attn1.to_q",
    "mid_block.attentions.0.proj_in", "up_blocks.0.attentions.1.transformer_blocks.0.ff.net.2",
)  # fmt: skip
CONFIGS = {
    "plain": {"r": 4, "lora_alpha": 8},
    "stabilised": {"r": 4, "lora_alpha": 8, "use_rslora": True},
    "patterns": {"r": 4, "lora_alpha": 6, "rank_pattern": {"to_v": 2, "ff.net.2": 8}, "alpha_pattern": {"attn2.to_q": 3, "to_q": 5}},
    "stabilised patterns": {"r": 4, "lora_alpha": 6, "use_rslora": True, "rank_pattern": {"to_v": 2}, "alpha_pattern": {"to_v": 3}},
    "expressions": {"r": 2, "lora_alpha": 1, "rank_pattern": {r"down_blocks\.\d+.*attn[12]\.to_q": 3}, "alpha_pattern": {r"mid_block\..*|ff\.net\.2": 7}},
    "not an end": {"r": 2, "lora_alpha": 1, "alpha_pattern": {"o_q": 5, "proj": 3, "transformer_blocks": 9}},
    "from the start": {"r": 2, "lora_alpha": 1, "alpha_pattern": {"^mid_block.attentions.0.proj_in": 4, "^attentions.0.proj_in": 5}},
}


def model():
    """A module with a linear layer at each of these names."""
    root = torch.nn.Module()
    for name in LAYERS:
        place = root
        *path, last = name.split(".")
        for part in path:
            if not hasattr(place, part):
                place.add_module(part, torch.nn.Module())
            place = getattr(place, part)
        place.add_module(last, torch.nn.Linear(8, 8))
    return root


def record(store):
    cases = {}
    for name, fields in CONFIGS.items():
        config = peft.LoraConfig(target_modules=list(LAYERS), **fields)
        adapted = peft.inject_adapter_in_model(config, model())
        layers = {layer: adapted.get_submodule(layer) for layer in LAYERS}
        cases[name] = {
            "config": written(config),
            "layers": {layer: {"rank": m.r["default"], "strength": m.scaling["default"]} for layer, m in layers.items()},
        }
    store.put("peft-strength", cases)


def written(config):
    """The fields as save_pretrained writes them, in order."""
    fields = config.to_dict()
    plain = lambda v: sorted(v) if isinstance(v, (set, tuple, list)) else str(v.value) if hasattr(v, "value") else v  # noqa: E731
    return {key: plain(fields[key]) for key in sorted(fields) if key not in ("target_modules", "peft_version")}
