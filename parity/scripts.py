"""Runs the scripts that `plan --as diffusers` writes, and records the latents they end with."""

import contextlib
import json
import os
import runpy
import subprocess
import tempfile
from pathlib import Path

import numpy
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from .component_cases import CHECKPOINTS, components
from .components import write_checkpoint, write_component
from .script_models import MODELS

ROOT = Path(__file__).parent.parent
WRITE = """
import { diffusersScript, openPlanSource } from "./dist/index.js";
const [request, models] = process.argv.slice(1).map((text) => JSON.parse(text));
process.stdout.write(await diffusersScript(await openPlanSource(models), request, models));
"""
PROMPT = "a smiling red cartoon character wearing a top hat"
WIDE = {"width": 80, "height": 48}
COMMON = {"prompts": [PROMPT], "seeds": [0, 7]}

CASES = {
    "hybrid": {"size": WIDE},
    "hybrid-schedule": {"handoff": "schedule", "size": WIDE},
    "hybrid-guided": {"switch": 2, "baseGuidance": 4, "negative": "sad", "seeds": [3]},
    "hybrid-ddim-v": {"handoff": "ddim", "switch": 2, "prediction": "v_prediction", "seeds": [3]},
    "hybrid-euler-ddim": {"handoff": "ddim", "scheduler": "EulerDiscreteScheduler", "spacing": "trailing", "steps": 4},
    "hybrid-euler-lcm": {"handoff": "lcm", "scheduler": "EulerDiscreteScheduler", "spacing": "trailing", "steps": 4, "size": WIDE},
    "hybrid-own-grid": {"baseSteps": 10, "size": WIDE},
    "hybrid-own-grid-ddim": {"baseScheduler": "DDIMScheduler", "baseSteps": 8, "switch": 2, "baseGuidance": 3, "guidanceRescale": 0.5},
    "hybrid-ratio": {"ratio": {"base": 2, "distilled": 1}, "baseSpacing": "trailing"},
    "hybrid-euler": {"scheduler": "EulerDiscreteScheduler", "spacing": "trailing", "steps": 4, "baseSteps": 6, "size": WIDE},
    "hybrid-rows": {"switch": [1, 3]},
    "hybrid-rows-schedule": {"switch": [1, 3], "handoff": "schedule"},
    "hybrid-skip": {"skip": 1, "handoff": "schedule"},
    "distilled": {"mode": "distilled", "prompts": [PROMPT, "a green cartoon character"], "seeds": [5]},
    "distilled-ancestral": {"mode": "distilled", "scheduler": "EulerAncestralDiscreteScheduler", "spacing": "trailing", "steps": 4},
    "distilled-tcd": {"mode": "distilled", "scheduler": "TCDScheduler", "steps": 4, "eta": 0.3, "clipSkip": 1},
    "base": {"mode": "base", "steps": 6, "size": WIDE},
    "base-dpm": {"mode": "base", "steps": 6, "scheduler": "DPMSolverMultistepScheduler", "seeds": [2]},
    "base-heun": {"mode": "base", "steps": 4, "scheduler": "Heun", "seeds": [2]},
    "base-dpm2-ancestral": {"mode": "base", "steps": 4, "scheduler": "DPM2 a Karras", "seeds": [2]},
    "base-dpmpp-sde": {"mode": "base", "steps": 4, "scheduler": "DPM++ SDE Karras", "seeds": [2]},
    "base-dpmpp-2m-sde": {"mode": "base", "steps": 6, "scheduler": "dpmpp_2m_sde", "sigmas": "exponential", "seeds": [2]},
    "base-singlestep": {"mode": "base", "steps": 6, "scheduler": "DPMSolverSinglestepScheduler", "seeds": [2]},
    "base-unipc": {"mode": "base", "steps": 6, "scheduler": "uni_pc", "sigmas": "sgm_uniform", "seeds": [2]},
    "base-deis": {"mode": "base", "steps": 6, "scheduler": "DEIS", "sigmas": "sgm_uniform", "seeds": [2]},
    "base-lms": {"mode": "base", "steps": 6, "scheduler": "lms_beta", "seeds": [2]},
    "hybrid-heun": {"scheduler": "Heun", "sigmas": "sgm_uniform", "steps": 3, "size": WIDE},
    "hybrid-own-grid-dpm2": {"scheduler": "dpm_2", "sigmas": "sgm_uniform", "steps": 4, "baseScheduler": "euler_ancestral", "baseSteps": 6, "switch": 2, "seeds": [3]},
    "hybrid-loras": {"adapters": [{"ref": "smile.base", "scale": 1.5}, {"ref": "blueprint", "scale": 0.5, "on": "base"}], "switch": 2, "size": WIDE},
    "base-interval": {"mode": "base", "steps": 8, "seeds": [2], "diversity": [{"method": "interval", "low": 0.4, "high": 8}]},
    "hybrid-late-guidance": {"baseSteps": 8, "baseGuidance": 4, "switch": 2, "seeds": [3], "diversity": [{"method": "late-guidance", "skip": 2}]},
    "base-ddpm": {"mode": "base", "steps": 5, "scheduler": "DDPMScheduler", "seeds": [2]},
}  # fmt: skip

# Requests of script_models.py that differ from the common one.
REQUESTS = {"loras": {"prompts": ["a smiling red <zq> wearing a top hat"], "scheduler": "LCMScheduler", "timesteps": [999, 749, 499, 249], "baseGuidance": 2}}


FLOW = {
    "flow-zimage-hybrid": ("zimage", "zimage-turbo", {"steps": 8, "switch": 3, "baseGuidance": 3, "negative": "sad", "guidanceNormalization": 1.0}),
    "flow-zimage-own-grid": ("zimage", "zimage-turbo", {"steps": 4, "switch": 2, "baseSteps": 8, "guidance": 0}),
    "flow-klein-hybrid": ("klein", "klein-fast", {"steps": 4, "switch": 1, "baseGuidance": 4}),
    "flow-klein-base": ("klein", None, {"mode": "base", "steps": 5, "guidance": 4}),
    "flow-flux1-base": ("flux1", None, {"mode": "base", "steps": 4, "guidance": 2.5}),
    "flow-flux1-hybrid": ("flux1", "flux1-fast", {"steps": 4, "switch": 1, "baseGuidance": 3, "baseSteps": 6}),
    "flow-flux1-true-guidance": ("flux1", "flux1-fast", {"mode": "distilled", "steps": 3, "guidance": 2, "negative": "sad"}),
    "flow-flux1-dev-true-guidance": ("flux1", None, {"mode": "base", "steps": 3, "guidance": 3, "trueGuidance": 2, "negative": "sad"}),
    "flow-chroma-hybrid": ("chroma", "chroma-fast", {"steps": 8, "switch": 2, "baseGuidance": 4, "baseSteps": 6, "negative": "sad"}),
    "flow-chroma-base": ("chroma", None, {"mode": "base", "steps": 4, "guidance": 5}),
    "flow-sd3-base": ("sd3", None, {"mode": "base", "steps": 4, "guidance": 4.5, "negative": "sad"}),
    "flow-sd3-hybrid": ("sd3", "sd3-fast", {"steps": 4, "switch": 1, "baseGuidance": 4, "baseSteps": 6}),
    "flow-qwenimage-base": ("qwenimage", None, {"mode": "base", "steps": 4, "guidance": 4}),
    "flow-qwenimage-hybrid": ("qwenimage", "qwenimage-fast", {"steps": 4, "switch": 1, "baseSteps": 6}),
    "flow-sana-base": ("sana", None, {"mode": "base", "steps": 6, "guidance": 4.5, "negative": "sad", "size": {"width": 64, "height": 32}}),
    "flow-sana-sprint": ("sana", "sana-sprint", {"mode": "distilled", "guidance": 4.5, "size": {"width": 32, "height": 64}}),
    "flow-sana-hybrid": ("sana", "sana-sprint", {"steps": 4, "switch": 2, "guidance": 3, "baseGuidance": 4, "size": {"width": 64, "height": 32}}),
    "flow-sana-own-grid": ("sana", "sana-sprint", {"steps": 2, "switch": 1, "guidance": 3, "baseGuidance": 3, "baseSteps": 8, "size": {"width": 64, "height": 32}}),
    "flow-sd3-two-scales": ("sd3", "sd3-fast", {"steps": 4, "switch": 2, "baseGuidance": 4, "guidance": 1.5}),
}  # fmt: skip
# Flow scripts with a LoRA of a golden, as one of the request or as the distilled model, or with another decoder.
FLOW_ADDED = {
    "flow-zimage-lora": ("zimage", "zimage-turbo", {"steps": 4, "switch": 2, "baseGuidance": 2}, {"lora": "zimage-peft", "scale": 0.7, "on": "both"}),
    "flow-flux1-lora": ("flux1", "flux1-fast", {"steps": 4, "switch": 1, "baseGuidance": 3}, {"lora": "flux1-ai-toolkit", "scale": 0.5, "on": "base"}),
    "flow-flux1-distilled-lora": ("flux1", None, {"steps": 8, "switch": 3, "guidance": 3.5, "baseGuidance": 3.5}, {"distilledLora": "flux1-peft", "name": "Hyper-FLUX.1-dev-8steps-lora"}),
    "flow-sd3-distilled-lora": ("sd3", None, {"steps": 4, "switch": 1, "baseGuidance": 3}, {"distilledLora": "sd3-peft", "name": "some-lora"}),
    "flow-qwenimage-distilled-lora": ("qwenimage", None, {"steps": 4, "switch": 1}, {"distilledLora": "qwenimage-lightning", "name": "some-lora"}),
    "flow-sana-lora": ("sana", "sana-sprint", {"steps": 2, "switch": 1, "guidance": 3, "baseGuidance": 3, "size": {"width": 64, "height": 32}}, {"lora": "sana-peft", "scale": 0.7, "on": "both"}),
    "flow-sana-distilled-lora": ("sana", None, {"steps": 4, "switch": 2, "guidance": 0, "baseGuidance": 4, "size": {"width": 64, "height": 32}}, {"distilledLora": "sana-peft", "name": "some-lora"}),
    "flow-chroma-lora-decoder": ("chroma", "chroma-fast", {"steps": 4, "switch": 1}, {"lora": "chroma-peft", "scale": 0.7, "on": "distilled", "decoder": "taef1"}),
}  # fmt: skip


def run_flow(base, distilled, request, added={}):
    """A script for checkpoints, LoRAs and decoders that are written for it."""
    with tempfile.TemporaryDirectory() as folder:
        names = {"base": base} | ({"distilled": distilled} if distilled else {})
        for part, name in names.items():
            write_checkpoint(Path(folder) / part, CHECKPOINTS[name], components())
        models = {part: str(Path(folder) / part) for part in names}
        if "decoder" in added:
            write_component(Path(folder) / added["decoder"], components()[added["decoder"]])
            models["decoder"] = str(Path(folder) / added["decoder"])
        if "lora" in added:
            use = {"ref": lora_file(added["lora"], folder, "style"), "scale": added["scale"], "on": added["on"]}
            request = {**request, "adapters": [use]}
        if "distilledLora" in added:
            models["distilled"] = lora_file(added["distilledLora"], folder, added["name"])
        return run(request, models)


def lora_file(golden, folder, name):
    """The LoRA of a golden of flow_adapters.py as a file."""
    tensors = load_file(ROOT / "test" / "goldens" / "adapters" / f"{golden}.safetensors")
    file = Path(folder) / f"{name}.safetensors"
    save_file({key.removeprefix("file/"): tensor for key, tensor in tensors.items() if key.startswith("file/")}, file)
    return str(file)


def run(request, models={}):
    """Latents and pictures, by prompt and seed."""
    command = ["node", "--input-type=module", "-e", WRITE, json.dumps(request), json.dumps(models)]
    script = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("script.py").write_text(script)
        latents = runpy.run_path("script.py")["latents"]
        assert len(os.listdir()) == 1 + len(latents), "a picture for each"
        images = [torch.from_numpy(numpy.array(Image.open(f"{number}-{seed}.png"))) for number, seed in sorted(latents)]
    return torch.cat([latents[key] for key in sorted(latents)]), torch.stack(images)


def record_flow(store):
    for name, (base, distilled, asked) in FLOW.items():
        request = {**COMMON, "size": {"width": 40, "height": 24}, **asked}
        pair = {"base": base} | ({"distilled": {"checkpoint": distilled}} if distilled else {})
        store.put(f"flow-scripts/{name}", {"pair": pair, "request": request}, {"latents": run_flow(base, distilled, request)[0]})
    for name, (base, distilled, asked, added) in FLOW_ADDED.items():
        request = {**COMMON, "seeds": [3], "size": {"width": 40, "height": 24}, **asked}
        pair = {"base": base} | ({"distilled": {"checkpoint": distilled}} if distilled else {})
        latents, images = run_flow(base, distilled, request, added)
        store.put(f"flow-scripts/{name}", {"pair": pair, "request": request, "added": added}, {"latents": latents, "images": images})


def record(store):
    for name, asked in CASES.items():
        request = {**COMMON, **asked}
        store.put(f"scripts/{name}", {"request": request}, {"latents": run(request)[0]})
    record_flow(store)
    for name, models in MODELS.items():
        request = {**COMMON, "size": WIDE, **REQUESTS.get(name, {})}
        with tempfile.TemporaryDirectory() as folder:
            latents, images = run(request, models(Path(folder)))
        store.put(f"script-models/{name}", {"request": request}, {"latents": latents, "images": images})
