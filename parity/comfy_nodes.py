"""Records what ComfyUI's nodes take: python -m parity.comfy_nodes FOLDER COMMIT > test/goldens/comfy-nodes.json.

FOLDER is a checkout of ComfyUI at COMMIT, run with Python packages of its own requirements.txt. Only facts are written: names of
inputs, their types, ranges and choices, and types of outputs. ComfyUI is GPL-3.0: its code, descriptions and other text stay out.
"""

import json
import sys

NODES = [
    "AddNoise", "BasicGuider", "CFGGuider", "CheckpointLoaderSimple", "CLIPLoader", "CLIPSetLastLayer", "CLIPTextEncode",
    "ConditioningZeroOut", "DiffusersLoader", "DisableNoise", "DualCLIPLoader", "EmptyFlux2LatentImage", "EmptyLatentImage",
    "EmptySD3LatentImage", "FluxGuidance", "KSamplerAdvanced", "KSamplerSelect", "LoraLoader", "LoraLoaderModelOnly", "ManualSigmas",
    "ModelSamplingDiscrete", "RandomNoise", "SamplerCustom", "SamplerCustomAdvanced", "SaveImage", "T5TokenizerOptions", "TripleCLIPLoader", "UNETLoader",
    "VAEDecode", "VAELoader",
]  # fmt: skip
# Inputs whose choices are the files in a model folder.
FILES = {"ckpt_name", "clip_name", "clip_name1", "clip_name2", "lora_name", "model_path", "unet_name", "vae_name"}


def described(name, kind, options):
    if name in FILES:
        return {"type": "FILE"}
    if not isinstance(kind, str):
        return {"type": "COMBO", "choices": list(kind)}
    if kind == "COMBO":
        return {"type": "COMBO", "choices": list(options["options"])}
    return {"type": kind, **{key: options[key] for key in ("min", "max") if key in options}}


def node(cls):
    types = cls.INPUT_TYPES()
    inputs = {}
    for presence in ("required", "optional"):
        for name, (kind, *rest) in types.get(presence, {}).items():
            inputs[name] = {**described(name, kind, rest[0] if rest else {}), "required": presence == "required"}
    return {"inputs": inputs, "outputs": [str(kind) for kind in cls.RETURN_TYPES]}


def main(folder, commit):
    sys.path.insert(0, folder)
    sys.argv = ["comfy", "--cpu"]
    import comfy.options

    comfy.options.enable_args_parsing()
    import nodes
    from comfy_extras import nodes_cond, nodes_custom_sampler, nodes_flux, nodes_model_advanced, nodes_sd3
    from comfyui_version import __version__

    known = {**nodes.NODE_CLASS_MAPPINGS, **nodes_model_advanced.NODE_CLASS_MAPPINGS}
    modules = [nodes_custom_sampler, nodes_flux, nodes_sd3, nodes_cond]
    found = {name: node(known.get(name) or next(getattr(m, name) for m in modules if hasattr(m, name))) for name in NODES}
    json.dump({"version": __version__, "commit": commit, "nodes": found}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
