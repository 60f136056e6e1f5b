"""Records updates by the official slider trainer's arithmetic in torch: its states, its timesteps, its four predictions, torch's AdamW."""

import copy

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, StableDiffusionXLPipeline
from transformers.utils import logging

from .lora_matrices import lora_matrices
from .outputs import run_unet
from .runs import open_pipeline
from .sliders import Lora
from .weights import noise

ROWS = [
    {"target": "a cat", "positive": "an old cat", "unconditional": "a young cat", "neutral": "a pet", "action": "enhance", "guidance_scale": 4},
    {"target": "a dog", "positive": "a happy dog", "unconditional": "a sad dog", "neutral": "a dog", "action": "erase", "guidance_scale": 2},
]  # fmt: skip
CASES = {
    "sd1": {"checkpoint": "sd1", "layers": "full", "type": "lierla", "rank": 4, "alpha": 2.0},
    "sdxl": {"checkpoint": "sdxl", "layers": "noxattn", "type": "c3lier", "rank": 3, "alpha": 3.0},
}
STEPS, UPDATES, RATE, SEED, GUIDANCE = 8, 20, 1e-2, 5, 3.0
SIDE, FACTOR = 32, 4
MOST = 32


def uniform(seed):
    """mulberry32, by which the program draws rows and steps."""
    state, word = seed, 0xFFFFFFFF

    def draw():
        nonlocal state
        state = (state + 0x6D2B79F5) & word
        t = ((state ^ (state >> 15)) * (1 | state)) & word
        t = ((t + ((t ^ (t >> 7)) * (61 | t))) & word) ^ t
        return (t ^ (t >> 14)) / 4294967296

    return draw


class Encoded:
    """Prompts of a pipeline as inputs of its UNet, and predictions for them."""

    def __init__(self, pipe):
        self.pipe, self.is_sdxl = pipe, isinstance(pipe, StableDiffusionXLPipeline)

    def text(self, prompt):
        if not self.is_sdxl:
            return {"encoder_hidden_states": self.pipe.encode_prompt(prompt, "cpu", 1, False)[0]}
        states, _, pooled, _ = self.pipe.encode_prompt(prompt, device="cpu", do_classifier_free_guidance=False)
        sizes = torch.tensor([[SIDE, SIDE, 0, 0, SIDE, SIDE]], dtype=torch.float32)
        return {"encoder_hidden_states": states, "text_embeds": pooled, "time_ids": sizes}

    def predict(self, x, time, prompt):
        return run_unet(self.pipe.unet, {"sample": x, "timestep": torch.tensor([float(time)]), **self.text(prompt)})["prediction"]


def trained(checkpoint, layers, type, rank, alpha):
    pipe = open_pipeline(checkpoint)
    pipe.unet = copy.deepcopy(pipe.unet).requires_grad_(False)
    encoded, lora = Encoded(pipe), Lora(pipe.unet, layers, type, rank, alpha)
    optimizer = torch.optim.AdamW(lora.parameters(), lr=RATE)
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000, clip_sample=False)
    losses, chosen = [], []
    for update in range(UPDATES):
        draw = uniform((SEED + 1) * 7919 + update)
        row = ROWS[int(draw() * len(ROWS))]
        n = 1 + int(draw() * (STEPS - 1))
        with torch.no_grad():
            scheduler.set_timesteps(STEPS)
            x = noise([1, 4, SIDE // FACTOR, SIDE // FACTOR], (SEED + 1) * 1_000_000 + update)
            lora.scale = 1.0
            for time in scheduler.timesteps[:n]:
                plain, asked = (encoded.predict(x, time, row[key]) for key in ("unconditional", "target"))
                x = scheduler.step(plain + GUIDANCE * (asked - plain), time, x).prev_sample
            scheduler.set_timesteps(1000)
            time = scheduler.timesteps[int(n * 1000 / STEPS)]
            lora.scale = 0.0
            positive, neutral, opposite = (encoded.predict(x, time, row[key]) for key in ("positive", "neutral", "unconditional"))
        lora.scale = 1.0
        by = row["guidance_scale"] * (-1 if row["action"] == "erase" else 1)
        loss = F.mse_loss(encoded.predict(x, time, row["target"]), neutral + by * (positive - opposite))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        chosen.append([ROWS.index(row), n, int(time)])
    return lora, losses, chosen


def record(store):
    logging.set_verbosity_error()
    for name, case in CASES.items():
        with torch.enable_grad():
            lora, losses, chosen = trained(**case)
        listed, tensors = lora_matrices(lora.matrices.items(), MOST)
        facts = {**case, "rows": [{**row, "resolution": SIDE} for row in ROWS], "steps": STEPS, "seed": SEED, "rate": RATE, "losses": losses, "chosen": chosen, "matrices": listed}
        store.put(f"official-sliders/{name}", facts, tensors)
