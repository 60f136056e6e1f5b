"""Records diffusers' schedule and latents for each named pair's distilled model: the rows come from the program itself (`models list --json`)."""

import json
import subprocess
from pathlib import Path

import diffusers
import torch
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu

from .steps import SEEDS, SHAPE, walk_through
from .weights import noise

ROOT = Path(__file__).parent.parent


def rows():
    lines = subprocess.run(["node", ROOT / "bin" / "variegate.js", "models", "list", "--json"], check=True, capture_output=True, text=True).stdout
    return [row for row in map(json.loads, lines.splitlines()) if row["scheduler"]]


def make(file, sampling):
    """The base's scheduler as diffusers users change it for the distilled model: X.from_config(pipe.scheduler.config, …)."""
    base = getattr(diffusers, file["_class_name"]).from_config(file)
    changes = {"timestep_spacing": sampling.get("spacing"), "prediction_type": sampling.get("prediction")}
    if "scheduler" not in sampling:
        return base
    return getattr(diffusers, sampling["scheduler"]).from_config(base.config, **{k: v for k, v in changes.items() if v})


def flow_walk(row, steps, config):
    """The sigmas that the pipeline gives its scheduler, and the shift of FLUX.1, FLUX.2 and Qwen-Image for the row's image size."""
    tokens = (row["size"]["width"] // 16) * (row["size"]["height"] // 16)
    by_size = lambda: calculate_shift(tokens, config.base_image_seq_len, config.max_image_seq_len, config.base_shift, config.max_shift)
    shifts = {
        "flux1": by_size,
        "qwenimage": by_size,
        "flux2": lambda: compute_empirical_mu(tokens, steps),
    }
    if row["family"] == "sd3":
        return {"steps": steps}
    mu = {"mu": shifts[row["family"]]()} if config.use_dynamic_shifting else {}
    return {"sigmas": torch.linspace(1.0, 1 / steps, steps).tolist(), **mu}


def angle_walk(scheduler, steps):
    """SCM's steps from a velocity, as SanaSprintPipeline makes its output of one: latents of flow matching, and 1000 σ."""
    scheduler.set_timesteps(steps, **({} if steps == 2 else {"intermediate_timesteps": None}))
    scheduler.set_begin_index(0)
    angles, data = scheduler.timesteps, scheduler.config.sigma_data
    generator = torch.Generator().manual_seed(SEEDS["noise"])
    x = noise(SHAPE, SEEDS["latents"])
    latents, timesteps = [x], []
    for i, (t, after) in enumerate(zip(angles, angles[1:])):
        sigma, size = torch.sin(t) / (torch.sin(t) + torch.cos(t)), torch.sin(t) + torch.cos(t)
        v = noise(SHAPE, SEEDS["outputs"] + i)
        output = ((1 - 2 * sigma) * x + (1 - 2 * sigma + 2 * sigma**2) * v) / torch.sqrt(sigma**2 + (1 - sigma) ** 2) * data
        x = scheduler.step(output, t, x * size * data, generator=generator).prev_sample / data / (torch.sin(after) + torch.cos(after))
        latents.append(x)
        timesteps.append(float(sigma.clamp(max=1) * 1000))
    return latents, timesteps


def record(store):
    described, tensors = [], {}
    for row in rows():
        sampling = row["sampling"]["distilled"]
        scheduler = make(row.get("distilledScheduler") or row["scheduler"], sampling)
        if isinstance(scheduler, diffusers.SCMScheduler):
            latents, timesteps = angle_walk(scheduler, sampling["steps"])
            described.append({"name": row["name"], "timesteps": timesteps})
            tensors[row["name"]] = torch.cat(latents)
            continue
        walk = {key: sampling[key] for key in ("timesteps", "steps") if key in sampling}
        if isinstance(scheduler, diffusers.FlowMatchEulerDiscreteScheduler):
            walk = flow_walk(row, sampling["steps"], scheduler.config)
        latents, _ = walk_through(scheduler, {"walk": walk, "eta": sampling.get("eta", 0.0)})
        described.append({"name": row["name"], "timesteps": scheduler.timesteps.tolist()})
        tensors[row["name"]] = torch.cat(latents)
    store.put("families", {"shape": SHAPE, "seeds": SEEDS, "cases": described}, tensors)
