"""Records every scheduler step by step, fed with noise in place of a network: timesteps, latents, predicted clean latents."""

import inspect

import diffusers
import torch
from diffusers.pipelines.flux.pipeline_flux import calculate_shift

from .scheduler_cases import CASES, COUNTS
from .weights import noise

SHAPE = [1, 4, 3, 5]
SEEDS = {"latents": 99, "noise": 9, "outputs": 100}


SIGMA_SPACE = (
    diffusers.EulerDiscreteScheduler,
    diffusers.EulerAncestralDiscreteScheduler,
    diffusers.HeunDiscreteScheduler,
    diffusers.KDPM2DiscreteScheduler,
    diffusers.KDPM2AncestralDiscreteScheduler,
    diffusers.DPMSolverSDEScheduler,
    diffusers.LMSDiscreteScheduler,
)
EDM = (diffusers.EDMEulerScheduler, diffusers.EDMDPMSolverMultistepScheduler)


def sigma_space(scheduler):
    """Latents of k-diffusion's samplers are x_vp · sqrt(σ² + 1), those of EDM x · sqrt(σ² + σ_data²); all others are as they are."""
    return isinstance(scheduler, SIGMA_SPACE + EDM)


def sigma_at(scheduler, i):
    """Noise level of the latents before call `i`. The second call of DPM2 and of DPM++ SDE is at a level between two steps."""
    count = len(scheduler.timesteps)
    if i < count and i % 2 == 1:
        if isinstance(scheduler, diffusers.KDPM2DiscreteScheduler):
            return scheduler.sigmas_interpol[i]
        if isinstance(scheduler, diffusers.KDPM2AncestralDiscreteScheduler):
            return scheduler.sigmas_interpol[i - 1]
        if isinstance(scheduler, diffusers.DPMSolverSDEScheduler):
            return (scheduler.sigmas[i - 1] * scheduler.sigmas[i]).sqrt()
    return scheduler.sigmas[i]


def to_vp(scheduler, x, i):
    """Latents of a scheduler at its place `i`, as the network sees them; clean ones as they are."""
    if not sigma_space(scheduler) or (sigma := sigma_at(scheduler, i).double()) == 0:
        return x
    data = scheduler.config.sigma_data if isinstance(scheduler, EDM) else 1
    return x / (sigma**2 + data**2).sqrt().float()


class Brownian:
    """
    Noise of DPMSolverSDE from a generator. torchsde's Brownian tree has the same law but draws in an order of its own: unit
    noise over [σ, middle], then unit noise over [σ, next] that contains it.
    """

    def __init__(self, generator):
        self.generator, self.half = generator, None

    def __call__(self, sigma, sigma_next):
        z = torch.randn(SHAPE, generator=self.generator)
        if self.half is None:
            self.half = (sigma_next, z)
            return z
        (middle, first), self.half = self.half, None
        share = ((sigma - middle) / (sigma - sigma_next)).double()
        return (share.sqrt() * first + (1 - share).sqrt() * z).float()


def is_flow(scheduler):
    return isinstance(scheduler, diffusers.FlowMatchEulerDiscreteScheduler)


def predicted(scheduler, result):
    """x0 where diffusers returns it. LCM's is after the boundary scalings; DPM++ keeps its own in a list."""
    if isinstance(scheduler, diffusers.DEISMultistepScheduler) or noise_prediction(scheduler):
        return None
    if hasattr(scheduler, "model_outputs"):
        return scheduler.model_outputs[-1]
    return getattr(result, "denoised", getattr(result, "pred_original_sample", None))


def noise_prediction(scheduler):
    """DPM-Solver and UniPC on ε keep ε in place of x0."""
    config = scheduler.config
    return config.get("algorithm_type") in ("dpmsolver", "sde-dpmsolver") or config.get("predict_x0") is False


def make(class_name, case):
    cls = getattr(diffusers, class_name)
    return cls.from_config(case["file"], **case.get("fields", {}))


def set_timesteps(scheduler, walk):
    if is_flow(scheduler):
        scheduler.set_timesteps(walk.get("steps"), sigmas=walk.get("sigmas"), mu=mu_of(scheduler.config, walk))
    elif "timesteps" in walk:
        scheduler.set_timesteps(timesteps=walk["timesteps"])
    else:
        scheduler.set_timesteps(walk["steps"])


def mu_of(config, walk):
    """The shift parameter, as the pipelines compute it from the number of image tokens."""
    if "tokens" not in walk:
        return walk.get("mu")
    return calculate_shift(
        walk["tokens"], config.base_image_seq_len, config.max_image_seq_len, config.base_shift, config.max_shift
    )


def walk_through(scheduler, case):
    set_timesteps(scheduler, case["walk"])
    generator = torch.Generator().manual_seed(SEEDS["noise"])
    accepted = inspect.signature(scheduler.step).parameters
    options = {"eta": case.get("eta", 0.0), "generator": generator}
    options = {key: value for key, value in options.items() if key in accepted}
    if isinstance(scheduler, diffusers.DPMSolverSDEScheduler):
        scheduler.noise_sampler = Brownian(generator)
    x = noise(SHAPE, SEEDS["latents"]) * getattr(scheduler, "init_noise_sigma", 1)
    latents, clean = [to_vp(scheduler, x, 0)], []
    for i, t in enumerate(scheduler.timesteps):
        output = noise(SHAPE, SEEDS["outputs"] + i)
        # FlowMatchEuler returns no x0; it follows from v = noise - x0.
        x0 = x - scheduler.sigmas[i] * output if is_flow(scheduler) else None
        if x0 is None:
            scheduler.scale_model_input(x, t)
        result = scheduler.step(output, t, x, **options)
        x = result.prev_sample
        latents.append(to_vp(scheduler, x, i + 1))
        x0 = predicted(scheduler, result) if x0 is None else x0
        if x0 is not None:
            clean.append(x0)
    return latents, clean


def record(store):
    for class_name, cases in CASES.items():
        described, tensors = [], {}
        for name, case in cases.items():
            scheduler = make(class_name, case)
            latents, clean = walk_through(scheduler, case)
            described.append({"name": name, **case, "timesteps": scheduler.timesteps.tolist()})
            tensors[f"{name}/xt"] = torch.cat(latents)
            assert tensors[f"{name}/xt"].isfinite().all(), f"{class_name} {name} is not finite"
            if clean:
                tensors[f"{name}/x0"] = torch.cat(clean)
        store.put(f"schedulers/{class_name}", {"shape": SHAPE, "seeds": SEEDS, "cases": described}, tensors)
    store.put("schedulers/timesteps", {"cases": [only_timesteps(*entry) for entry in COUNTS]})


def only_timesteps(class_name, file, steps):
    scheduler = getattr(diffusers, class_name).from_config(file)
    scheduler.set_timesteps(steps)
    return {"class": class_name, "file": file, "steps": steps, "timesteps": scheduler.timesteps.tolist()}
