"""Records diffusers' schedule and latents for each named pair's distilled model: the rows come from the program itself (`models list --json`)."""

import json
import subprocess
from pathlib import Path

import diffusers
import torch

from .steps import SEEDS, SHAPE, walk_through

ROOT = Path(__file__).parent.parent


def rows():
    lines = subprocess.run(["node", ROOT / "bin" / "variegate.js", "models", "list", "--json"], check=True, capture_output=True, text=True).stdout
    return [row for row in map(json.loads, lines.splitlines()) if row["scheduler"]]


def make(file, sampling):
    """The base's scheduler as diffusers users change it for the distilled model: X.from_config(pipe.scheduler.config, …)."""
    base = getattr(diffusers, file["_class_name"]).from_config(file)
    changes = {"timestep_spacing": sampling.get("spacing"), "prediction_type": sampling.get("prediction")}
    return getattr(diffusers, sampling["scheduler"]).from_config(base.config, **{k: v for k, v in changes.items() if v})


def record(store):
    described, tensors = [], {}
    for row in rows():
        sampling = row["sampling"]["distilled"]
        scheduler = make(row["scheduler"], sampling)
        walk = {key: sampling[key] for key in ("timesteps", "steps") if key in sampling}
        latents, _ = walk_through(scheduler, {"walk": walk, "eta": sampling.get("eta", 0.0)})
        described.append({"name": row["name"], "timesteps": scheduler.timesteps.tolist()})
        tensors[row["name"]] = torch.cat(latents)
    store.put("families", {"shape": SHAPE, "seeds": SEEDS, "cases": described}, tensors)
