"""Records runs of SanaPipeline and SanaSprintPipeline, and of the first handing over to the second."""

import inspect

import diffusers
import torch

from .runs import component, open_pipeline, quiet

ANGLE = 1.5708
INSTRUCTION = inspect.signature(diffusers.SanaPipeline.__call__).parameters["complex_human_instruction"].default


class Angles:
    """Keeps latents and x0 of SanaSprintPipeline as those of flow matching: σ = sin t / (sin t + cos t) at its angles t."""

    def __init__(self, watch):
        self.watch = watch

    def around(self, scheduler):
        step, data = type(scheduler).step, scheduler.config.sigma_data

        def flow(x, t):
            return x / data / (torch.sin(t) + torch.cos(t))

        def watched(output, timestep, sample, return_dict=True, **kwargs):
            after, clean = step(scheduler, output, timestep, sample, return_dict=False, **kwargs)
            here, there = scheduler.timesteps[scheduler.step_index - 1], scheduler.timesteps[scheduler.step_index]
            kept = self.watch
            if not kept.latents:
                kept.latents.append(flow(sample, here))
            kept.clean.append(clean / data)
            kept.timesteps.append(timestep_of(here))
            kept.latents.append(flow(after, there))
            return after, clean

        # The pipeline looks whether the step takes a generator.
        watched.__wrapped__ = step
        scheduler.step = watched


def sigma_of(angle):
    return torch.sin(angle) / (torch.sin(angle) + torch.cos(angle))


def timestep_of(angle):
    """1000 σ in float32; the first angle is a little beyond π / 2."""
    return float(sigma_of(angle).clamp(max=1) * 1000)


def angles_of(steps):
    """Angles of the pipeline, 0 last: its defaults for two steps, else those that it takes without an angle between."""
    return torch.tensor([ANGLE, 1.3, 0.0]) if steps == 2 else torch.linspace(ANGLE, 0, steps + 1)


def options_of(request, guidance):
    prompts = request["prompts"]
    options = {
        "prompt": list(prompts), "num_images_per_prompt": len(request["seeds"]), "guidance_scale": guidance, "output_type": "np",
        "generator": [torch.Generator().manual_seed(seed) for _ in prompts for seed in request["seeds"]],
        "num_inference_steps": request["steps"], "use_resolution_binning": False, **request["size"],
    }  # fmt: skip
    return options | ({"negative_prompt": [request["negative"]] * len(prompts)} if "negative" in request else {})


def sprint(pipe, transformer, scheduler):
    """SanaSprintPipeline with the text encoder and the autoencoder of another."""
    parts = {name: getattr(pipe, name) for name in ("tokenizer", "text_encoder", "vae")}
    return quiet(diffusers.SanaSprintPipeline(**parts, transformer=transformer, scheduler=scheduler))


def run_sprint(pipe, request, watch, first=0, **more):
    """Steps of SANA-Sprint from step `first` on."""
    Angles(watch).around(pipe.scheduler)
    angles = angles_of(request["steps"])[first:]
    if first > 0:
        starts_at(pipe.scheduler, angles)
    between = {} if len(angles) == 3 else {"intermediate_timesteps": None}
    options = options_of(request, request["guidance"]) | {"num_inference_steps": len(angles) - 1, **between, **more}
    options.pop("negative_prompt", None)
    return pipe(**options).images


def starts_at(scheduler, angles):
    """A schedule of these angles; the pipeline of diffusers 0.42.1 takes none (it leaves the number of steps out)."""
    whole = scheduler.set_timesteps

    def set_timesteps(steps, **options):
        whole(steps, **options)
        scheduler.timesteps = angles

    scheduler.set_timesteps = set_timesteps


def run_own_grid(pipe, request, watch, aim):
    """The base on its own sigmas; the one after which it would pass the hand-off is replaced, and what follows is left out."""
    scheduler = pipe.scheduler
    whole = type(scheduler).set_timesteps

    def set_timesteps(steps, device=None, **options):
        whole(scheduler, steps, device=device, **options)
        stop["after"] = int((scheduler.sigmas > aim + 1e-6).sum()) - 1
        scheduler.sigmas[stop["after"] + 1] = aim

    stop = {}
    set_timesteps.__wrapped__ = whole
    scheduler.set_timesteps = set_timesteps
    watch.around(scheduler)

    def callback(pipe, i, _t, _kept):
        pipe._interrupt = i >= stop["after"]
        return {}

    options = options_of(request, request["baseGuidance"])
    latents = pipe(**options | {"num_inference_steps": request["baseSteps"], "output_type": "latent"}, callback_on_step_end=callback).images
    return latents, options["generator"]


def run_shared(pipe, request, watch, angles):
    """The base takes the first steps of SANA-Sprint's schedule: its x0 with fresh noise."""
    guidance, sigmas = request["baseGuidance"], [min(1.0, float(sigma_of(angle))) for angle in angles]
    options = options_of(request, guidance)
    generators = options["generator"]
    prompt, mask, negative, other = pipe.encode_prompt(
        options["prompt"], guidance > 1, negative_prompt=options.get("negative_prompt", ""), num_images_per_prompt=len(request["seeds"]),
        complex_human_instruction=INSTRUCTION,
    )  # fmt: skip
    size = [len(generators), pipe.transformer.config.in_channels, *[request["size"][side] // pipe.vae_scale_factor for side in ("height", "width")]]
    x = torch.cat([torch.randn([1, *size[1:]], generator=generator) for generator in generators])
    watch.latents.append(x)
    for angle, sigma, after in zip(angles, sigmas[: request["switch"]], sigmas[1:]):
        time = torch.full([len(x)], timestep_of(angle))

        def predict(text, keys):
            return pipe.transformer(x, encoder_hidden_states=text, encoder_attention_mask=keys, timestep=time, return_dict=False)[0]

        v = predict(prompt, mask)
        if guidance > 1:
            without = predict(negative, other)
            v = without + guidance * (v - without)
        clean = x - sigma * v
        noise = torch.cat([torch.randn([1, *size[1:]], generator=generator) for generator in generators])
        x = (1 - after) * clean + after * noise
        watch.clean.append(clean)
        watch.timesteps.append(timestep_of(angle))
        watch.latents.append(x)
    return x, generators


def run(pipe, pair, request, watch):
    if "distilled" not in pair:
        if isinstance(pipe, diffusers.SanaSprintPipeline):
            return run_sprint(pipe, request, watch)
        if "scheduler" in request:
            pipe.scheduler = getattr(diffusers, request["scheduler"])(shift=pipe.scheduler.config.flow_shift)
        watch.around(pipe.scheduler)
        return pipe(**options_of(request, request["guidance"])).images
    whole = open_pipeline(pair["distilled"]["checkpoint"]) if "checkpoint" in pair["distilled"] else None
    transformer = whole.transformer if whole else component(pair["distilled"]["component"])
    fast = sprint(pipe, transformer, diffusers.SCMScheduler())
    if request["mode"] == "distilled":
        return run_sprint(fast, request, watch)
    angles, switch = angles_of(request["steps"]), request["switch"]
    if "baseSteps" in request:
        x, generators = run_own_grid(pipe, request, watch, float(sigma_of(angles[switch])))
    else:
        x, generators = run_shared(pipe, request, watch, angles)
    latents = x * (torch.sin(angles[switch]) + torch.cos(angles[switch]))
    return run_sprint(fast, request, watch, switch, latents=latents, generator=generators)
