"""Records every scheduler step by step, fed with noise in place of a network: timesteps, latents, predicted clean latents."""

import inspect

import diffusers
import torch

from .scheduler_cases import CASES, CLASSES, COUNTS
from .weights import noise

SHAPE = [1, 4, 3, 5]
SEEDS = {"latents": 99, "noise": 9, "outputs": 100}


def sigma_space(scheduler):
    """Euler's latents are x_vp · sqrt(σ² + 1); those of all others are variance preserving as they are."""
    return isinstance(scheduler, (diffusers.EulerDiscreteScheduler, diffusers.EulerAncestralDiscreteScheduler))


def to_vp(scheduler, x, i):
    """Latents of a scheduler at its place `i`, in variance-preserving space."""
    return x / (scheduler.sigmas[i].double() ** 2 + 1).sqrt().float() if sigma_space(scheduler) else x


def predicted(scheduler, result):
    """x0 where diffusers tells it. LCM's is after the boundary scalings; DPM++ keeps its own in a list."""
    if isinstance(scheduler, diffusers.DPMSolverMultistepScheduler):
        return scheduler.model_outputs[-1]
    return getattr(result, "denoised", getattr(result, "pred_original_sample", None))


def make(class_name, case):
    cls = getattr(diffusers, class_name)
    return cls.from_config(case["file"], **case.get("fields", {}))


def set_timesteps(scheduler, walk):
    if "timesteps" in walk:
        scheduler.set_timesteps(timesteps=walk["timesteps"])
    else:
        scheduler.set_timesteps(walk["steps"])


def walk_through(scheduler, case):
    set_timesteps(scheduler, case["walk"])
    generator = torch.Generator().manual_seed(SEEDS["noise"])
    accepted = inspect.signature(scheduler.step).parameters
    options = {"eta": case.get("eta", 0.0), "generator": generator}
    options = {key: value for key, value in options.items() if key in accepted}
    x = noise(SHAPE, SEEDS["latents"]) * scheduler.init_noise_sigma
    latents, clean = [to_vp(scheduler, x, 0)], []
    for i, t in enumerate(scheduler.timesteps):
        scheduler.scale_model_input(x, t)
        result = scheduler.step(noise(SHAPE, SEEDS["outputs"] + i), t, x, **options)
        x = result.prev_sample
        latents.append(to_vp(scheduler, x, i + 1))
        x0 = predicted(scheduler, result)
        if x0 is not None:
            clean.append(x0)
    return latents, clean


def record(store):
    for class_name in CLASSES:
        described, tensors = [], {}
        for name, case in CASES[class_name].items():
            scheduler = make(class_name, case)
            latents, clean = walk_through(scheduler, case)
            described.append({"name": name, **case, "timesteps": scheduler.timesteps.tolist()})
            tensors[f"{name}/xt"] = torch.cat(latents)
            if clean:
                tensors[f"{name}/x0"] = torch.cat(clean)
        store.put(f"schedulers/{class_name}", {"shape": SHAPE, "seeds": SEEDS, "cases": described}, tensors)
    store.put("schedulers/timesteps", {"cases": [only_timesteps(*entry) for entry in COUNTS]})


def only_timesteps(class_name, file, steps):
    scheduler = getattr(diffusers, class_name).from_config(file)
    scheduler.set_timesteps(steps)
    return {"class": class_name, "file": file, "steps": steps, "timesteps": scheduler.timesteps.tolist()}
