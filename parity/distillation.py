"""Records updates of a distillation in torch, on diffusers' UNet with PEFT's layers or whole: latent consistency with the formulas of diffusers'
train_lcm_distill scripts, distribution matching with DMD2's, the supervised first step with DP-DMD's."""

import copy
import math
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from transformers.utils import logging

from .component_cases import components
from .components import load, write_component
from .outputs import run_unet
from .sliders import text
from .weights import noise

CASES = {
    "lcm-sd1": {"method": "lcm", "component": "unet-sd1", "prediction": "epsilon", "rank": 4, "guidance": 7.5, "keep": False},
    "lcm-sdxl-v": {"method": "lcm", "component": "unet-sdxl", "prediction": "v_prediction", "rank": 2, "guidance": 4.0, "keep": False},
    "dmd2-sd1": {"method": "dmd2", "component": "unet-sd1", "prediction": "epsilon", "rank": 4, "guidance": 3.0, "keep": False},
    "dmd2-sdxl-v-first": {"method": "dmd2", "component": "unet-sdxl", "prediction": "v_prediction", "rank": 2, "guidance": 5.0, "keep": True},
    "dmd2-whole-first": {"method": "dmd2", "component": "unet-sd1", "prediction": "epsilon", "rank": None, "guidance": 3.0, "keep": True},
}  # fmt: skip
SCHEDULE = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False}
LATENTS, TOKENS, NORM = [2, 4, 6, 10], 9, 1.0
UPDATES = {"lcm": 8, "dmd2": 4}
RATE, WHOLE_RATE, FAKE_RATE, FAKES = 1e-3, 1e-5, 3, 3
GRID = [999, 749, 499, 249]
DDIM_STEPS, HUBER, DECAY, TIME_SCALE, DATA_SIGMA = 50, 1e-3, 0.95, 10.0, 0.5
ANCHOR, OF, FIRST_WEIGHT = 5, 30, 0.05
MOST = 48

ALPHA_BAR = DDPMScheduler(**SCHEDULE).alphas_cumprod.double()


def levels(t):
    a = ALPHA_BAR[t].view(-1, 1, 1, 1)
    return a.sqrt().float(), (1 - a).sqrt().float()


def clean(kind, x, t, out):
    """x0 and noise that an output stands for."""
    alpha, sigma = levels(t)
    if kind == "epsilon":
        return (x - sigma * out) / alpha, out
    return alpha * x - sigma * out, alpha * out + sigma * x


def add(x0, t, eps):
    alpha, sigma = levels(t)
    return alpha * x0 + sigma * eps


def boundary(t):
    scaled = (TIME_SCALE * t.double()).view(-1, 1, 1, 1)
    return (DATA_SIGMA**2 / (scaled**2 + DATA_SIGMA**2)).float(), (scaled / (scaled**2 + DATA_SIGMA**2).sqrt()).float()


class Network:
    """A UNet with several sets of values: the base's, and those of each name."""

    def __init__(self, component, rank, names):
        self.described = components()[component]
        with tempfile.TemporaryDirectory() as folder:
            write_component(Path(folder), self.described)
            self.base = load(folder, self.described)
        self.base.requires_grad_(False)
        self.own, self.layers = {}, []
        if rank is None:
            self.unets = {name: copy.deepcopy(self.base) for name in names}
            self.own = {name: dict(unet.named_parameters()) for name, unet in self.unets.items()}
        else:
            self._add_loras(rank, names)

    def _add_loras(self, rank, names):
        unet = self.base
        for name in names:
            unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=["to_q", "to_k", "to_v", "to_out.0"]), adapter_name=name)
        self.layers = sorted(((n, m) for n, m in unet.named_modules() if isinstance(m, LoraLayer)), key=lambda n: n[0].encode())
        for name in names:
            self.own[name] = {}
            for i, (layer, module) in enumerate(self.layers):
                down, up = module.lora_A[name].weight, module.lora_B[name].weight
                down.data = noise(list(down.shape), 500 + i) / math.sqrt(down.shape[1])
                up.data.zero_()
                self.own[name] |= {f"{layer}.down": down, f"{layer}.up": up}
        self.unets = None

    def use(self, name):
        """The UNet with the values of a name; those of the base for None."""
        if self.unets is not None:
            return self.base if name is None else self.unets[name].requires_grad_(True)
        if name is None:
            self.base.disable_adapters()
        else:
            self.base.enable_adapters()
            self.base.set_adapter(name)
        return self.base

    def predict(self, name, x, t, conditioning):
        both = {key: torch.cat([c[key] for c in conditioning]) for key in conditioning[0]}
        return run_unet(self.use(name), {"sample": x, "timestep": t, **both})["prediction"]

    @torch.no_grad()
    def guided(self, x, t, conditioning, guidance):
        """Against zeros in place of the prompt, as SDXL's pipeline has it."""
        empty = [{key: value if key == "time_ids" else torch.zeros_like(value) for key, value in c.items()} for c in conditioning]
        without, given = self.predict(None, torch.cat([x, x]), torch.cat([t, t]), empty + conditioning).chunk(2)
        return without + guidance * (given - without)


class Learner:
    """One set of values with its optimiser."""

    def __init__(self, parameters, rate, betas):
        self.parameters = list(parameters)
        self.optimizer = torch.optim.AdamW(self.parameters, lr=rate, betas=betas)

    def update(self, loss):
        self.optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, NORM).item()
        self.optimizer.step()
        return norm


def indices(update):
    """DDIM steps of the two samples."""
    return [(3 + 13 * update) % DDIM_STEPS, (49 - 17 * update) % DDIM_STEPS]


def consistency(network, kind, guidance, conditioning):
    skip = 1000 // DDIM_STEPS
    student = Learner(network.own["student"].values(), RATE, (0.9, 0.999))
    losses, norms = [], []
    for update in range(UPDATES["lcm"]):
        index = torch.tensor(indices(update))
        start = (index + 1) * skip - 1
        end = (start - skip).clamp(min=0)
        x = add(noise(LATENTS, 1000 + update), start, noise(LATENTS, 2000 + update))
        with torch.no_grad():
            x0, eps = clean(kind, x, start, network.guided(x, start, conditioning, guidance))
            before = add(x0, end, eps)
            c_skip, c_out = boundary(end)
            target = c_skip * before + c_out * clean(kind, before, end, network.predict("average", before, end, conditioning))[0]
        c_skip, c_out = boundary(start)
        made = c_skip * x + c_out * clean(kind, x, start, network.predict("student", x, start, conditioning))[0]
        loss = torch.mean(torch.sqrt((made - target) ** 2 + HUBER**2) - HUBER)
        norms.append(student.update(loss))
        losses.append(loss.item())
        for name, value in network.own["average"].items():
            value.data = DECAY * value.data + (1 - DECAY) * network.own["student"][name].data
    return losses, norms


def anchor_times():
    return [max(0, round(1000 * (OF - i) / OF) - 1) for i in range(ANCHOR + 1)]


def first_loss(network, kind, guidance, conditioning, x):
    """DP-DMD: mean squared error of the first step's velocity in the flow's coordinates."""
    times = [torch.full([len(x)], t) for t in anchor_times()]
    state = x
    with torch.no_grad():
        for now, then in zip(times, times[1:]):
            x0, eps = clean(kind, state, now, network.guided(state, now, conditioning, guidance))
            state = add(x0, then, eps)

    def flow(latents, t):
        alpha, sigma = levels(t)
        return latents / (alpha + sigma), sigma / (alpha + sigma)

    (begin, s), (end, s_end) = flow(x, times[0]), flow(state, times[-1])
    target = (begin - end) / (s - s_end)
    x0, eps = clean(kind, x, times[0], network.predict("student", x, times[0], conditioning))
    return FIRST_WEIGHT * F.mse_loss(eps - x0, target)


def seen_times(update):
    return [(211 + 301 * update) % 960 + 20, (777 - 191 * update) % 960 + 20]


def fake_times(update, i):
    return [(91 + 257 * update + 331 * i) % 1000, (888 - 113 * update - 277 * i) % 1000]


def matching(network, kind, guidance, keep, conditioning, rate):
    student = Learner(network.own["student"].values(), rate, (0.5, 0.99))
    fake = Learner(network.own["fake"].values(), FAKE_RATE * rate, (0.5, 0.99))
    losses, norms, fake_losses = [], [], []
    for update in range(UPDATES["dmd2"]):
        step = 1 + update % 3 if keep else update % 4
        drawn = [noise(LATENTS, 3000 + 10 * update + k) for k in range(step + 1)]
        x = drawn[0]
        for k in range(step + 1):
            t = torch.full([len(x)], GRID[k])
            with torch.set_grad_enabled(k == step):
                x0 = clean(kind, x, t, network.predict("student", x, t, conditioning))[0]
            if k < step:
                x = add(x0, torch.full([len(x)], GRID[k + 1]), drawn[k + 1])
        at = torch.tensor(seen_times(update))
        with torch.no_grad():
            noised = add(x0.detach(), at, noise(LATENTS, 4000 + update))
            by_fake = clean(kind, noised, at, network.predict("fake", noised, at, conditioning))[0]
            by_real = clean(kind, noised, at, network.guided(noised, at, conditioning, guidance))[0]
            direction = (by_fake - by_real) / ((x0 - by_real).abs().mean((1, 2, 3), keepdim=True) + 1e-4)
        network.use("student")
        loss = 0.5 * F.mse_loss(x0, (x0 - direction).detach())
        if keep:
            loss = loss + first_loss(network, kind, guidance, conditioning, drawn[0])
        network.use("student")
        norms.append(student.update(loss))
        losses.append(loss.item())
        for i in range(FAKES):
            at = torch.tensor(fake_times(update, i))
            alpha, sigma = levels(at)
            eps = noise(LATENTS, 5000 + 10 * update + i)
            out = network.predict("fake", add(x0.detach(), at, eps), at, conditioning)
            target = eps if kind == "epsilon" else alpha * eps - sigma * x0.detach()
            # An error of v weighs as the error of ε that it is at the same x0: σ / α · (α error)².
            scale = torch.ones_like(alpha) if kind == "epsilon" else alpha
            weight = (sigma / alpha).clamp(max=5.0)
            fake_loss = (weight * (scale * (out - target)) ** 2).mean()
            fake.update(fake_loss)
            fake_losses.append(fake_loss.item())
    return losses, norms, fake_losses


def record(store):
    logging.set_verbosity_error()
    for name, case in CASES.items():
        method, kind, rank, guidance, keep = (case[key] for key in ("method", "prediction", "rank", "guidance", "keep"))
        rate = WHOLE_RATE if rank is None else RATE
        with torch.enable_grad():
            network = Network(case["component"], rank, ["student", "average" if method == "lcm" else "fake"])
            conditioning = [text(network.described["config"], seed) for seed in (1, 2)]
            made = consistency(network, kind, guidance, conditioning) if method == "lcm" else matching(network, kind, guidance, keep, conditioning, rate)
        updates = range(UPDATES[method])
        facts = {
            **case, "schedule": SCHEDULE, "latents": LATENTS, "tokens": TOKENS, "rate": rate, "norm": NORM, "losses": made[0], "norms": made[1],
            "matrices": [[layer, list(m.lora_A["student"].weight.shape), list(m.lora_B["student"].weight.shape)] for layer, m in network.layers],
        }  # fmt: skip
        if method == "lcm":
            facts |= {"indices": [indices(update) for update in updates]}
        else:
            facts |= {"fakeRate": FAKE_RATE, "fakeLosses": made[2], "seen": [seen_times(update) for update in updates],
                      "fakeTimes": [[fake_times(update, i) for i in range(FAKES)] for update in updates]}  # fmt: skip
        tensors = {
            f"{which}/{key}": value.detach().flatten()[:: -(-value.numel() // MOST)]
            for which, own in network.own.items()
            for key, value in own.items()
        }
        store.put(f"distillation/{name}", facts, tensors)
