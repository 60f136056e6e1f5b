"""Records updates of a LoRA on images in torch: PEFT's layers on diffusers' UNet, its DDPMScheduler, its min-SNR weights, torch's AdamW."""

import math
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from transformers.utils import logging

from .component_cases import components
from .components import load, write_component
from .lora_matrices import lora_matrices
from .outputs import run_unet
from .sliders import text
from .weights import noise

CASES = {
    "sd1": {"component": "unet-sd1", "prediction": "epsilon", "rank": 4, "alpha": 4.0, "gamma": 5.0, "offset": 0.1, "prior": None},
    "sdxl-v": {"component": "unet-sdxl", "prediction": "v_prediction", "rank": 2, "alpha": 6.0, "gamma": 1.0, "offset": 0.0, "prior": 0.5},
    "sdxl": {"component": "unet-sdxl", "prediction": "epsilon", "rank": 3, "alpha": 1.5, "gamma": None, "offset": 0.0, "prior": 1.0},
}  # fmt: skip
SCHEDULE = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False}
LATENTS, TOKENS, UPDATES, RATE, NORM = [2, 4, 6, 10], 9, 20, 1e-2, 1.0
MOST = 48  # values of a matrix that are kept, at a stride


def times(update):
    """Timesteps of the two samples: from almost clean to almost pure noise, other ones in each update."""
    return [(37 + 211 * update) % 1000, (901 - 173 * update) % 1000]


def weighted(prediction, target, scheduler, timesteps, gamma):
    """As train_text_to_image_lora.py weights the loss."""
    if gamma is None:
        return F.mse_loss(prediction, target)
    snr = compute_snr(scheduler, timesteps)
    bounded = torch.minimum(snr, torch.full_like(snr, gamma))
    weight = bounded / snr if scheduler.config.prediction_type == "epsilon" else bounded / (snr + 1)
    return (F.mse_loss(prediction, target, reduction="none").mean(dim=[1, 2, 3]) * weight).mean()


def trained(component, prediction, rank, alpha, gamma, offset, prior):
    described = components()[component]
    with tempfile.TemporaryDirectory() as folder:
        write_component(Path(folder), described)
        unet = load(folder, described)
    unet.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=alpha, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    layers = sorted(((name, m) for name, m in unet.named_modules() if isinstance(m, LoraLayer)), key=lambda n: n[0].encode())
    for i, (_, layer) in enumerate(layers):
        down = layer.lora_A["default"].weight
        down.data = noise(list(down.shape), 500 + i) / math.sqrt(down.shape[1])
        layer.lora_B["default"].weight.data.zero_()
    parameters = [p for p in unet.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=RATE)
    scheduler = DDPMScheduler(**SCHEDULE, prediction_type=prediction)
    conditioning = [text(described["config"], seed) for seed in (1, 2)]
    losses, norms = [], []
    for update in range(UPDATES):
        timesteps = torch.tensor(times(update))
        x0, eps = noise(LATENTS, 1000 + update), noise(LATENTS, 2000 + update)
        if offset:
            eps = eps + offset * noise([*LATENTS[:2], 1, 1], 3000 + update)
        x = scheduler.add_noise(x0, eps, timesteps)
        target = eps if prediction == "epsilon" else scheduler.get_velocity(x0, eps, timesteps)
        both = {key: torch.cat([c[key] for c in conditioning]) for key in conditioning[0]}
        out = run_unet(unet, {"sample": x, "timestep": timesteps, **both})["prediction"]
        if prior is None:
            loss = weighted(out, target, scheduler, timesteps, gamma)
        else:
            # As in train_dreambooth_lora.py: the second half are images of the class, with a plain loss.
            loss = weighted(out[:1], target[:1], scheduler, timesteps[:1], gamma) + prior * F.mse_loss(out[1:], target[1:])
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, NORM).item())
        optimizer.step()
        losses.append(loss.item())
    return layers, losses, norms


def record(store):
    logging.set_verbosity_error()
    for name, case in CASES.items():
        with torch.enable_grad():
            layers, losses, norms = trained(**case)
        listed, tensors = lora_matrices(layers, MOST)
        facts = {
            **case, "schedule": SCHEDULE, "latents": LATENTS, "tokens": TOKENS, "rate": RATE, "norm": NORM,
            "times": [times(update) for update in range(UPDATES)], "losses": losses, "norms": norms, "matrices": listed,
        }  # fmt: skip
        store.put(f"loras/{name}", facts, tensors)
