"""Records optimisers of torch and prodigyopt update by update, and the learning rates and averages of diffusers."""

import torch
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from prodigyopt import Prodigy

from .weights import noise

# A matrix, a convolution's weight, a bias, and the second half of a new LoRA, which is zero.
SHAPES = {"matrix": [5, 3], "convolution": [4, 2, 3, 3], "bias": [6], "zero": [3, 4]}
UPDATES, SHOWN = 12, [1, 2, 12]
# name: [class, options, options of the test]
CASES = {
    "sgd": [torch.optim.SGD, {"lr": 0.05}],
    "sgd-nesterov": [torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}],
    "adam": [torch.optim.Adam, {"lr": 0.01, "betas": (0.8, 0.95), "weight_decay": 0.1}],
    "adamw": [torch.optim.AdamW, {"lr": 0.01}],
    "adafactor": [torch.optim.Adafactor, {}],
    "adafactor-decay": [torch.optim.Adafactor, {"lr": 0.05, "beta2_decay": -0.5, "eps": (1e-4, 1e-2), "d": 2.0, "weight_decay": 0.1}],
    "prodigy": [Prodigy, {}],
    "prodigy-decay": [
        Prodigy, {"weight_decay": 0.1, "use_bias_correction": True, "safeguard_warmup": True, "d0": 1e-3, "d_coef": 2.0, "growth_rate": 1.5},
    ],
    "prodigy-beta3": [Prodigy, {"lr": 0.5, "betas": (0.9, 0.99), "beta3": 0.9, "d0": 1e-4}],
}  # fmt: skip
SCHEDULES = {
    "constant": {}, "constant_with_warmup": {"warmup": 5}, "linear": {"warmup": 5}, "cosine": {"warmup": 4}, "cosine_with_restarts": {"warmup": 3, "cycles": 3},
    "polynomial": {"warmup": 2, "power": 2.0},
}  # fmt: skip
PEAK, STEPS = 0.02, 20


def parameters():
    values = {name: noise(shape, 3 + i) * (name != "zero") for i, (name, shape) in enumerate(SHAPES.items())}
    return {name: torch.nn.Parameter(value.clone()) for name, value in values.items()}


def gradients(update):
    """Of very different sizes, and zero for the bias at first."""
    scale = {"matrix": 1.0, "convolution": 1e-3, "bias": float(update > 0), "zero": 10.0}
    return {name: noise(shape, 100 + 10 * update + i) * scale[name] for i, (name, shape) in enumerate(SHAPES.items())}


def run(make, before=lambda _: None, every=1):
    """Parameters after the updates that are shown."""
    own, shown = parameters(), {}
    optimizer = make(list(own.values()))
    for update in range(UPDATES):
        for name, gradient in gradients(update).items():
            grown = gradient / every
            own[name].grad = grown if own[name].grad is None else own[name].grad + grown
        if (update + 1) % every == 0:
            before(list(own.values()))
            optimizer.step()
            optimizer.zero_grad()
        if update + 1 in SHOWN:
            shown |= {f"{update + 1}.{name}": value.detach().clone() for name, value in own.items()}
    return shown


def rates(name, options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
    more = {"num_cycles": options["cycles"]} if "cycles" in options else {}
    schedule = get_scheduler(
        name, optimizer, num_warmup_steps=options.get("warmup", 0), num_training_steps=STEPS, power=options.get("power", 1.0), **more
    )
    found = []
    for _ in range(STEPS + 3):
        found.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return found


def averages(**options):
    value = torch.nn.Parameter(noise([4], 5))
    average, found = EMAModel([value], **options), []
    for update in range(UPDATES):
        value.data = noise([4], 50 + update)
        average.step([value])
        found.append(average.shadow_params[0].clone())
    return torch.stack(found)


def record(store):
    tensors = {f"start.{name}": value.detach() for name, value in parameters().items()}
    for update in range(UPDATES):
        tensors |= {f"gradient.{update}.{name}": value for name, value in gradients(update).items()}
    with torch.enable_grad():
        for name, (make, options) in CASES.items():
            tensors |= {f"{name}.{key}": value for key, value in run(lambda p, m=make, o=options: m(p, **o)).items()}
        adamw = lambda p: torch.optim.AdamW(p, lr=0.01)
        tensors |= {f"clipped.{k}": v for k, v in run(adamw, lambda p: torch.nn.utils.clip_grad_norm_(p, 0.5)).items()}
        tensors |= {f"accumulated.{k}": v for k, v in run(adamw, every=2).items()}
        tensors |= {"average.values": torch.stack([noise([4], 50 + update) for update in range(UPDATES)])}
        tensors |= {"average.plain": averages(decay=0.9), "average.power": averages(decay=0.95, use_ema_warmup=True, power=2 / 3)}
    schedules = {name: {**options, "rates": rates(name, options)} for name, options in SCHEDULES.items()}
    store.put("optimizers", {"peak": PEAK, "steps": STEPS, "shown": SHOWN, "updates": UPDATES, "schedules": schedules}, tensors)
