"""Records updates of a distillation in torch, on diffusers' networks with PEFT's layers or whole: latent consistency with the formulas of diffusers'
train_lcm_distill scripts, distribution matching with DMD2's, the supervised first step with DP-DMD's; for flow matching those of DP-DMD's program,
and consistency by x0 = x − σ v. A recipe is written once, over the noise process."""

import copy
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, FlowMatchEulerDiscreteScheduler
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from transformers.utils import logging

from . import flow_loras
from .component_cases import components
from .components import load, write_component
from .outputs import RUNS, run_unet
from .sliders import text
from .weights import noise

UNET = {"targets": ["to_q", "to_k", "to_v", "to_out.0"]}
CASES = {
    "lcm-sd1": {"method": "lcm", "component": "unet-sd1", "prediction": "epsilon", "rank": 4, "guidance": 7.5, "keep": False},
    "lcm-sdxl-v": {"method": "lcm", "component": "unet-sdxl", "prediction": "v_prediction", "rank": 2, "guidance": 4.0, "keep": False},
    "dmd2-sd1": {"method": "dmd2", "component": "unet-sd1", "prediction": "epsilon", "rank": 4, "guidance": 3.0, "keep": False},
    "dmd2-sdxl-v-first": {"method": "dmd2", "component": "unet-sdxl", "prediction": "v_prediction", "rank": 2, "guidance": 5.0, "keep": True},
    "dmd2-whole-first": {"method": "dmd2", "component": "unet-sd1", "prediction": "epsilon", "rank": None, "guidance": 3.0, "keep": True},
}  # fmt: skip
# Samples and the negative prompt have texts of several lengths. `offset`: what the pipeline adds to the guidance scale; `token`: side of the tokens
# whose norms its guidance keeps; `embedded`: the scale is an input, and there is no negative prompt.
FLOW_CASES = {
    "lcm-zimage": {"method": "lcm", "family": "zimage", "keep": False, "rank": 3, "guidance": 3.0, "offset": 1, "tokens": [5, 40, 3], "schedule": {"shift": 6.0}},
    "lcm-qwenimage-whole": {"method": "lcm", "family": "qwenimage", "keep": False, "rank": None, "guidance": 4.0, "token": 2, "visible": [5, 12, 4], "schedule": {"shift": 1.0}},
    "dmd2-sd3": {"method": "dmd2", "family": "sd3", "keep": False, "rank": 4, "guidance": 4.5, "even": False, "schedule": {"shift": 3.0}},
    "dmd2-flux1-first": {"method": "dmd2", "family": "flux1", "keep": True, "rank": 2, "guidance": 3.5, "embedded": True, "schedule": {"shift": 1.5}},
}  # fmt: skip
FLOW_DEFAULTS = {"prediction": "flow_prediction", "tokens": [7, 12, 9], "visible": None, "offset": 0, "token": None, "even": True, "embedded": False}
SCHEDULE = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False}
LATENTS, TOKENS, NORM = [2, 4, 6, 10], 9, 1.0
UPDATES = {"lcm": 8, "dmd2": 4}
RATE, WHOLE_RATE, FAKE_RATE, FAKES = 1e-3, 1e-5, 3, 3
GRID = [999, 749, 499, 249]
DDIM_STEPS, HUBER, DECAY, TIME_SCALE, DATA_SIGMA = 50, 1e-3, 0.95, 10.0, 0.5
ANCHOR, OF, FIRST_WEIGHT = 5, 30, 0.05
MOST = 48


@dataclass
class At:
    """Noise levels of the samples of a batch, with the times that a network is told."""

    alpha: torch.Tensor
    sigma: torch.Tensor
    time: torch.Tensor

    def add(self, x0, eps):
        return self.alpha * x0 + self.sigma * eps


class Diffusion:
    """Variance-preserving levels, ε or v, LCM steps."""

    def __init__(self, kind):
        self.kind, self.table = kind, DDPMScheduler(**SCHEDULE).alphas_cumprod.double()
        self.end = 0

    def at(self, t):
        a = self.table[t].view(-1, 1, 1, 1)
        return At(a.sqrt().float(), (1 - a).sqrt().float(), t)

    def step(self, k, samples):
        """Level of a student's step."""
        return self.at(torch.full([samples], GRID[k]))

    def clean(self, x, at, out):
        """x0 and noise that an output stands for."""
        if self.kind == "epsilon":
            return (x - at.sigma * out) / at.alpha, out
        return at.alpha * x - at.sigma * out, at.alpha * out + at.sigma * x

    def target(self, x0, at, eps):
        return eps if self.kind == "epsilon" else at.alpha * eps - at.sigma * x0

    def between(self, predicted, drawn):
        """Noise of the next step."""
        return drawn

    def boundary(self, at):
        scaled = (TIME_SCALE * at.time.double()).view(-1, 1, 1, 1)
        return (DATA_SIGMA**2 / (scaled**2 + DATA_SIGMA**2)).float(), (scaled / (scaled**2 + DATA_SIGMA**2).sqrt()).float()

    def fake_errors(self, at, difference):
        # An error of v weighs as the error of ε that it is at the same x0: σ / α · (α error)².
        scale = torch.ones_like(at.alpha) if self.kind == "epsilon" else at.alpha
        return (at.sigma / at.alpha).clamp(max=5.0) * (scale * difference) ** 2


class Flow:
    """x = (1 − σ) x0 + σ ε and the velocity ε − x0, at the levels of FlowMatchEulerDiscreteScheduler and in its Euler steps."""

    kind = "flow_prediction"

    def __init__(self, schedule, even):
        scheduler = FlowMatchEulerDiscreteScheduler(**schedule)
        # From the cleanest to the noisiest, and a clean latent at −1.
        self.table = torch.cat([scheduler.sigmas.flip(0), torch.zeros(1)])
        self.end = -1
        scheduler.set_timesteps(sigmas=[1.0, 0.75, 0.5, 0.25]) if even else scheduler.set_timesteps(4)
        self.grid = scheduler.sigmas

    def of(self, sigma):
        wide = sigma.view(-1, 1, 1, 1)
        return At(1 - wide, wide, 1000 * sigma)

    def at(self, t):
        return self.of(self.table[t])

    def step(self, k, samples):
        return self.of(self.grid[k].repeat(samples))

    def clean(self, x, at, out):
        return x - at.sigma * out, x + at.alpha * out

    def target(self, x0, at, eps):
        return eps - x0

    def between(self, predicted, drawn):
        return predicted

    def boundary(self, at):
        return torch.zeros_like(at.sigma), torch.ones_like(at.sigma)

    def fake_errors(self, at, difference):
        return difference**2


class Network:
    """A denoiser with several sets of values: the base's, and those of each name."""

    def __init__(self, component, rank, names, targets):
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
            self._add_loras(rank, names, targets)

    def _add_loras(self, rank, names, targets):
        unet = self.base
        for name in names:
            unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=targets), adapter_name=name)
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
        """The network with the values of a name; those of the base for None."""
        if self.unets is not None:
            return self.base if name is None else self.unets[name].requires_grad_(True)
        if name is None:
            self.base.disable_adapters()
        else:
            self.base.enable_adapters()
            self.base.set_adapter(name)
        return self.base


class UNet(Network):
    """A UNet with two prompts, and zeros in place of the prompt, as SDXL's pipeline has it."""

    def __init__(self, case, names):
        super().__init__(case["component"], case["rank"], names, UNET["targets"])
        self.latents, self.guidance = LATENTS, case["guidance"]
        self.texts = [text(self.described["config"], seed) for seed in (1, 2)]

    def call(self, name, x, time, conditioning):
        both = {key: torch.cat([c[key] for c in conditioning]) for key in conditioning[0]}
        return run_unet(self.use(name), {"sample": x, "timestep": time, **both})["prediction"]

    def predict(self, name, x, at):
        return self.call(name, x, at.time, self.texts)

    @torch.no_grad()
    def guided(self, x, at):
        empty = [{key: value if key == "time_ids" else torch.zeros_like(value) for key, value in c.items()} for c in self.texts]
        without, given = self.call(None, torch.cat([x, x]), torch.cat([at.time, at.time]), empty + self.texts).chunk(2)
        return without + self.guidance * (given - without)


class Transformer(Network):
    """A transformer with two prompts and a negative one, each with a call of its own."""

    def __init__(self, case, names):
        super().__init__(case["component"], case["rank"], names, case["targets"])
        self.case, self.latents = case, [2, flow_loras.channels_of(self.described), *case["latents"]]
        given = {**case, "guidance": case["guidance"] if case["embedded"] else None}
        self.texts = [flow_loras.text(self.described["config"], i, given) for i in range(3)]

    def call(self, name, x, time, texts):
        _, run = RUNS[self.described["class"]]
        model = self.use(name)
        return torch.cat([run(model, {"sample": x[i : i + 1], "timestep": time[i : i + 1], **own})["prediction"] for i, own in enumerate(texts)])

    def predict(self, name, x, at):
        return self.call(name, x, at.time, self.texts[:2])

    @torch.no_grad()
    def guided(self, x, at):
        given = self.predict(None, x, at)
        if self.case["embedded"]:
            return given
        without = self.call(None, x, at.time, [self.texts[2]] * 2)
        both = without + (self.case["guidance"] + self.case["offset"]) * (given - without)
        if self.case["token"] is None:
            return both
        side = self.case["token"]
        tokens = lambda v: v.unfold(2, side, side).unfold(3, side, side).pow(2).sum((1, 4, 5)).sqrt()
        ratio = (tokens(given) / tokens(both)).repeat_interleave(side, 1).repeat_interleave(side, 2)
        return both * ratio[:, None]


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


def consistency(network, process, rate):
    skip = 1000 // DDIM_STEPS
    student = Learner(network.own["student"].values(), rate, (0.9, 0.999))
    losses, norms = [], []
    for update in range(UPDATES["lcm"]):
        index = torch.tensor(indices(update))
        start = (index + 1) * skip - 1
        start, end = process.at(start), process.at((start - skip).clamp(min=process.end))
        x = start.add(noise(network.latents, 1000 + update), noise(network.latents, 2000 + update))
        with torch.no_grad():
            before = end.add(*process.clean(x, start, network.guided(x, start)))
            c_skip, c_out = process.boundary(end)
            target = c_skip * before + c_out * process.clean(before, end, network.predict("average", before, end))[0]
        c_skip, c_out = process.boundary(start)
        made = c_skip * x + c_out * process.clean(x, start, network.predict("student", x, start))[0]
        loss = torch.mean(torch.sqrt((made - target) ** 2 + HUBER**2) - HUBER)
        norms.append(student.update(loss))
        losses.append(loss.item())
        for name, value in network.own["average"].items():
            value.data = DECAY * value.data + (1 - DECAY) * network.own["student"][name].data
    return losses, norms


def anchor_times():
    return [max(0, round(1000 * (OF - i) / OF) - 1) for i in range(ANCHOR + 1)]


def first_loss(network, process, x):
    """DP-DMD: mean squared error of the first step's velocity in the flow's coordinates."""
    times = [process.at(torch.full([len(x)], t)) for t in anchor_times()]
    state = x
    with torch.no_grad():
        for now, then in zip(times, times[1:]):
            state = then.add(*process.clean(state, now, network.guided(state, now)))

    def flow(latents, at):
        return latents / (at.alpha + at.sigma), at.sigma / (at.alpha + at.sigma)

    (begin, s), (end, s_end) = flow(x, times[0]), flow(state, times[-1])
    target = (begin - end) / (s - s_end)
    x0, eps = process.clean(x, times[0], network.predict("student", x, times[0]))
    return FIRST_WEIGHT * F.mse_loss(eps - x0, target)


def seen_times(update):
    return [(211 + 301 * update) % 960 + 20, (777 - 191 * update) % 960 + 20]


def fake_times(update, i):
    return [(91 + 257 * update + 331 * i) % 1000, (888 - 113 * update - 277 * i) % 1000]


def matching(network, process, keep, rate):
    student = Learner(network.own["student"].values(), rate, (0.5, 0.99))
    fake = Learner(network.own["fake"].values(), FAKE_RATE * rate, (0.5, 0.99))
    losses, norms, fake_losses = [], [], []
    for update in range(UPDATES["dmd2"]):
        step = 1 + update % 3 if keep else update % 4
        drawn = [noise(network.latents, 3000 + 10 * update + k) for k in range(step + 1)]
        x = drawn[0]
        for k in range(step + 1):
            at = process.step(k, len(x))
            with torch.set_grad_enabled(k == step):
                x0, eps = process.clean(x, at, network.predict("student", x, at))
            if k < step:
                x = process.step(k + 1, len(x)).add(x0, process.between(eps, drawn[k + 1]))
        at = process.at(torch.tensor(seen_times(update)))
        with torch.no_grad():
            noised = at.add(x0.detach(), noise(network.latents, 4000 + update))
            by_fake = process.clean(noised, at, network.predict("fake", noised, at))[0]
            by_real = process.clean(noised, at, network.guided(noised, at))[0]
            direction = (by_fake - by_real) / ((x0 - by_real).abs().mean((1, 2, 3), keepdim=True) + 1e-4)
        network.use("student")
        loss = 0.5 * F.mse_loss(x0, (x0 - direction).detach())
        if keep:
            loss = loss + first_loss(network, process, drawn[0])
        network.use("student")
        norms.append(student.update(loss))
        losses.append(loss.item())
        for i in range(FAKES):
            at = process.at(torch.tensor(fake_times(update, i)))
            eps = noise(network.latents, 5000 + 10 * update + i)
            out = network.predict("fake", at.add(x0.detach(), eps), at)
            fake_loss = process.fake_errors(at, out - process.target(x0.detach(), at, eps)).mean()
            fake.update(fake_loss)
            fake_losses.append(fake_loss.item())
    return losses, norms, fake_losses


def recorded(case, network, process):
    method, keep, rank = case["method"], case["keep"], case["rank"]
    rate = WHOLE_RATE if rank is None else RATE
    made = consistency(network, process, rate) if method == "lcm" else matching(network, process, keep, rate)
    updates = range(UPDATES[method])
    facts = {
        "latents": network.latents, "rate": rate, "norm": NORM, "losses": made[0], "norms": made[1],
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
    return facts, tensors


def names_of(case):
    return ["student", "average" if case["method"] == "lcm" else "fake"]


def record(store):
    logging.set_verbosity_error()
    for name, case in CASES.items():
        with torch.enable_grad():
            facts, tensors = recorded(case, UNet(case, names_of(case)), Diffusion(case["prediction"]))
        shape = facts.pop("latents")
        store.put(f"distillation/{name}", {**case, "schedule": SCHEDULE, "latents": shape, "tokens": TOKENS, **facts}, tensors)


def record_flow(store):
    logging.set_verbosity_error()
    for name, own in FLOW_CASES.items():
        base = {**flow_loras.DEFAULTS, **flow_loras.CASES[own["family"]]}
        layers = {key: base[key] for key in ("component", "layers", "type", "targets", "latents")}
        case = {**FLOW_DEFAULTS, **layers, **own}
        with torch.enable_grad():
            facts, tensors = recorded(case, Transformer(case, names_of(case)), Flow(case["schedule"], case["even"]))
        store.put(f"flow-distillation/{name}", {**case, **facts}, tensors)
