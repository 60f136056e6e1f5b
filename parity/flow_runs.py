"""Records runs of ZImagePipeline and Flux2KleinPipeline: every latent on the way, the predicted clean ones, and the pictures."""

import diffusers
import numpy as np
import torch
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu

from .flow_cases import FLOW_CASES
from .runs import component, hush, open_pipeline


class FlowWatch:
    """Keeps latents before and after each step, and x0 = x − σ v of the step."""

    def __init__(self, grid):
        self.latents, self.clean, self.timesteps, self.grid = [], [], [], grid

    def spread(self, x):
        """Tokens on their grid, as the loop of other pipelines has them."""
        return x.transpose(1, 2).unflatten(2, self.grid) if x.dim() == 3 else x

    def add(self, x, velocity, sigma, timestep, after):
        if not self.latents:
            self.latents.append(self.spread(x))
        self.clean.append(self.spread(x - sigma * velocity))
        self.timesteps.append(float(timestep))
        self.latents.append(self.spread(after))

    def around(self, scheduler):
        step, place = type(scheduler).step, 0

        def watched(output, timestep, sample, return_dict=True, **kwargs):
            nonlocal place
            after = step(scheduler, output, timestep, sample, return_dict=False, **kwargs)[0]
            self.add(sample, output, float(scheduler.sigmas[place]), timestep, after)
            place += 1
            return (after,)

        scheduler.step = watched


def open_distilled(distilled, scheduler):
    """A second transformer, and its scheduler, or the base's where it comes without."""
    if "checkpoint" in distilled:
        other = open_pipeline(distilled["checkpoint"])
        return other.transformer, other.scheduler
    return component(distilled["component"]), type(scheduler).from_config(scheduler.config)


def options_of(request, guidance):
    prompts = request["prompts"]
    options = {
        "prompt": list(prompts), "num_images_per_prompt": len(request["seeds"]), "guidance_scale": guidance, "output_type": "np",
        "generator": [torch.Generator().manual_seed(seed) for _ in prompts for seed in request["seeds"]],
        "num_inference_steps": request["steps"], **request["size"],
    }  # fmt: skip
    if "negative" in request:
        options["negative_prompt"] = [request["negative"]] * len(prompts)
    if "guidanceNormalization" in request:
        options["cfg_normalization"] = request["guidanceNormalization"]
    if "guidanceTruncation" in request:
        options["cfg_truncation"] = request["guidanceTruncation"]
    return options


def run_shared(pipe, distilled, request):
    """The base takes the first `switch` steps of the distilled model's schedule."""
    base, switch = pipe.transformer, request["switch"]

    def hand_over(pipe, i, _t, _kept):
        if i + 1 == switch:
            pipe.transformer, pipe._guidance_scale = distilled, request["guidance"]
        return {}

    images = pipe(**options_of(request, request["baseGuidance"]), callback_on_step_end=hand_over).images
    pipe.transformer = base
    return images


def grid_of(pipe, request):
    """Rows and columns of image tokens."""
    side = 2 * pipe.vae_scale_factor
    return request["size"]["height"] // side, request["size"]["width"] // side


def sigmas_of(scheduler, steps, grid):
    mu = compute_empirical_mu(grid[0] * grid[1], steps) if scheduler.config.use_dynamic_shifting else None
    scheduler.set_timesteps(sigmas=torch.linspace(1.0, 1 / steps, steps).tolist(), mu=mu)
    return scheduler.sigmas.clone()


def run_own_grid(pipe, distilled, scheduler, request, watch):
    """The base walks its own sigmas, the last of which is replaced by that of the distilled row `switch`; the rest runs as ever."""
    grid_size = grid_of(pipe, request)
    aim = sigmas_of(scheduler, request["steps"], grid_size)[request["switch"]]
    own = sigmas_of(pipe.scheduler, request["baseSteps"], grid_size)
    grid = [*own[own > aim + 1e-6].tolist(), float(aim)]
    plain, stopped = pipe.scheduler, type(pipe.scheduler).from_config(pipe.scheduler.config)

    def set_timesteps(*_, **__):
        stopped.sigmas = torch.tensor([*grid])
        stopped.timesteps = stopped.sigmas[:-1] * 1000
        stopped.num_inference_steps = len(grid) - 1

    signature = type(stopped).set_timesteps
    set_timesteps.__wrapped__ = signature
    stopped.set_timesteps = set_timesteps
    watch.around(stopped)
    pipe.scheduler = stopped
    pipe(**options_of(request, request["baseGuidance"]) | {"output_type": "latent"})
    x = watch.latents[-1]
    pipe.scheduler, pipe.transformer = scheduler, distilled
    left = torch.linspace(1.0, 1 / request["steps"], request["steps"]).tolist()[request["switch"] :]
    rest = FlowWatch(grid_size)
    rest.around(scheduler)
    images = pipe(**options_of(request, request["guidance"]) | {"latents": x, "sigmas": left}).images
    watch.latents += rest.latents[1:]
    watch.clean += rest.clean
    watch.timesteps += rest.timesteps
    pipe.scheduler = plain
    return images


def run(pipe, pair, request):
    watch = FlowWatch(grid_of(pipe, request))
    distilled, scheduler = open_distilled(pair["distilled"], pipe.scheduler) if "distilled" in pair else (None, pipe.scheduler)
    if request["mode"] == "hybrid" and "baseSteps" in request:
        return watch, run_own_grid(pipe, distilled, scheduler, request, watch)
    pipe.scheduler = scheduler
    watch.around(scheduler)
    if request["mode"] == "hybrid":
        return watch, run_shared(pipe, distilled, request)
    pipe.transformer = distilled or pipe.transformer
    return watch, pipe(**options_of(request, request["guidance"])).images


def record(store):
    hush()
    for name, case in FLOW_CASES.items():
        pair, request = case["pair"], case["request"]
        pipe = open_pipeline(pair["base"])
        if "decoder" in pair:
            pipe.vae = component(pair["decoder"])
        watch, images = run(pipe, pair, request)
        pixels = torch.from_numpy((images * 255).round().astype(np.uint8))
        tensors = {"xt": torch.stack(watch.latents), "x0": torch.stack(watch.clean), "images": pixels}
        store.put(f"pipelines/{name}", {"pair": pair, "request": request, "timesteps": watch.timesteps}, tensors)
