"""Records runs of the pipelines of Z-Image, FLUX.2 klein, FLUX.1, Chroma, Stable Diffusion 3 and Qwen-Image: every latent on the way, the predicted clean ones, and the pictures."""

import diffusers
import numpy as np
import torch
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu

from . import sana_runs
from .flow_cases import FLOW_CASES
from .runs import component, hush, open_pipeline


class FlowWatch:
    """Keeps latents before and after each step, and x0 = x − σ v of the step."""

    def __init__(self, grid, packs=False):
        self.latents, self.clean, self.timesteps, self.grid, self.packs = [], [], [], grid, packs

    def spread(self, x):
        """Tokens on their grid, as the loop of other pipelines has them; unpacked where a token is 2 × 2 latents."""
        if x.dim() != 3:
            return x
        grid = x.transpose(1, 2).unflatten(2, self.grid)
        return torch.nn.functional.pixel_shuffle(grid, 2) if self.packs else grid

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


def hiding(pipe):
    """
    ChromaPipeline with a mask of truth values, as the model was trained. diffusers 0.42.1 gives attention a mask of numbers, which are added to
    the scores, so that it hides nothing (diffusers#12116, #13619).
    """
    if isinstance(pipe, diffusers.ChromaPipeline):
        prepare = pipe._prepare_attention_mask

        def prepared(*args, **kwargs):
            mask = prepare(*args, **kwargs)
            return None if mask is None else mask.bool()

        pipe._prepare_attention_mask = prepared
    return pipe


def open_flow(name):
    return hiding(open_pipeline(name))


def open_distilled(distilled, scheduler):
    """A second transformer, and its scheduler, or the base's where it comes without."""
    if "checkpoint" in distilled:
        other = open_flow(distilled["checkpoint"])
        return other.transformer, other.scheduler
    return component(distilled["component"]), type(scheduler).from_config(scheduler.config)


class Told:
    """A FLUX.1 transformer that takes its own text and guidance, whatever the pipeline gives."""

    def __init__(self, pipe, model, request):
        options = text_options(request, request["guidance"], model)
        self.model, self.guidance = model, options["guidance_scale"] if model.config.guidance_embeds else None
        self.text = [pipe.encode_prompt(p, max_sequence_length=options["max_sequence_length"])[0] for p in request["prompts"]]
        self.text = torch.cat([t for t in self.text for _ in request["seeds"]])

    def __getattr__(self, name):
        return getattr(self.model, name)

    def __call__(self, hidden_states, **given):
        guidance = None if self.guidance is None else torch.full([len(hidden_states)], float(self.guidance))
        own = {"encoder_hidden_states": self.text, "txt_ids": torch.zeros(self.text.shape[1], 3), "guidance": guidance}
        return self.model(hidden_states=hidden_states, **{**given, **own})


class Unguided:
    """A Qwen-Image transformer that predicts for the negative prompt what it did for the prompt: guidance, which runs on, has no effect then."""

    def __init__(self, model):
        self.model, self.kind, self.last = model, None, None

    def __getattr__(self, name):
        return getattr(self.model, name)

    def cache_context(self, kind):
        self.kind = kind
        return self.model.cache_context(kind)

    def __call__(self, **given):
        if self.kind == "cond":
            self.last = self.model(**given)
        return self.last


def text_options(request, guidance, model):
    """Guidance and text length of FLUX.1: embedded in dev, by two forward passes in schnell, and in dev with true guidance."""
    negative = [request.get("negative", "")] * len(request["prompts"])
    if model.config.guidance_embeds:
        true = {"true_cfg_scale": request["trueGuidance"], "negative_prompt": negative} if "trueGuidance" in request else {}
        return {"guidance_scale": guidance, "max_sequence_length": request.get("textTokens", 512), **true}
    return {"guidance_scale": 0, "true_cfg_scale": guidance, "max_sequence_length": request.get("textTokens", 256), "negative_prompt": negative}


def options_of(pipe, request, guidance):
    if isinstance(pipe, diffusers.FluxPipeline):
        return common_options(request, guidance) | text_options(request, guidance, pipe.transformer)
    if isinstance(pipe, diffusers.QwenImagePipeline):
        # Without a negative prompt there is no guidance.
        negative = [request.get("negative", " ")] * len(request["prompts"]) if guidance > 1 else None
        return common_options(request, guidance) | {"guidance_scale": None, "true_cfg_scale": guidance, "negative_prompt": negative}
    return common_options(request, guidance)


def common_options(request, guidance):
    prompts = request["prompts"]
    options = {
        "prompt": list(prompts), "num_images_per_prompt": len(request["seeds"]), "guidance_scale": guidance, "output_type": "np",
        "generator": [torch.Generator().manual_seed(seed) for _ in prompts for seed in request["seeds"]],
        "num_inference_steps": request["steps"], **request["size"],
    }  # fmt: skip
    if "textTokens" in request:
        options["max_sequence_length"] = request["textTokens"]
    if "negative" in request:
        options["negative_prompt"] = [request["negative"]] * len(prompts)
    if "clipSkip" in request:
        options["clip_skip"] = request["clipSkip"]
    if "guidanceNormalization" in request:
        options["cfg_normalization"] = request["guidanceNormalization"]
    if "guidanceTruncation" in request:
        options["cfg_truncation"] = request["guidanceTruncation"]
    return options


def embeddings(pipe):
    """Embeddings that a pipeline keeps twice in its loop, of the negative prompt and of the prompt."""
    return ["prompt_embeds", "pooled_prompt_embeds"] if isinstance(pipe, diffusers.StableDiffusion3Pipeline) else []


def run_shared(pipe, distilled, request):
    """The base takes the first `switch` steps of the distilled model's schedule."""
    base, switch = pipe.transformer, request["switch"]
    if isinstance(pipe, diffusers.FluxPipeline):
        distilled = Told(pipe, distilled, request)
    if isinstance(pipe, diffusers.QwenImagePipeline) and request["guidance"] <= 1:
        distilled = Unguided(distilled)

    def hand_over(pipe, i, _t, _kept):
        if i + 1 == switch:
            names = embeddings(pipe)
            halves = names if names and pipe.do_classifier_free_guidance and request["guidance"] <= 1 else []
            pipe.transformer, pipe._guidance_scale = distilled, request["guidance"]
            return {name: _kept[name].chunk(2)[1] for name in halves}
        return {}

    options = options_of(pipe, request, request["baseGuidance"])
    images = pipe(**options, callback_on_step_end=hand_over, callback_on_step_end_tensor_inputs=["latents", *embeddings(pipe)]).images
    pipe.transformer = base
    return images


def grid_of(pipe, request):
    """Rows and columns of image tokens."""
    side = 2 * pipe.vae_scale_factor
    return request["size"]["height"] // side, request["size"]["width"] // side


def mu_of(pipe, scheduler, steps, tokens):
    config = scheduler.config
    if not config.use_dynamic_shifting:
        return None
    if isinstance(pipe, (diffusers.FluxPipeline, diffusers.QwenImagePipeline)):
        return calculate_shift(tokens, config.base_image_seq_len, config.max_image_seq_len, config.base_shift, config.max_shift)
    return compute_empirical_mu(tokens, steps)


def even_sigmas(pipe, steps):
    """1 … 1 / n in the precision of the pipeline; none where it takes the scheduler's own."""
    if isinstance(pipe, diffusers.StableDiffusion3Pipeline):
        return None
    if isinstance(pipe, diffusers.ZImagePipeline):
        return torch.linspace(1.0, 1 / steps, steps).tolist()
    return np.linspace(1.0, 1 / steps, steps)


def sigmas_of(pipe, scheduler, steps, grid):
    mu = mu_of(pipe, scheduler, steps, grid[0] * grid[1])
    scheduler.set_timesteps(steps, sigmas=even_sigmas(pipe, steps), mu=mu)
    return scheduler.sigmas.clone()


def starts_at(scheduler, row):
    """The scheduler's own schedule from a row on."""
    whole = scheduler.set_timesteps

    def set_timesteps(steps, **options):
        whole(steps, **options)
        scheduler.sigmas, scheduler.timesteps = scheduler.sigmas[row:], scheduler.timesteps[row:]

    scheduler.set_timesteps = set_timesteps


def run_own_grid(pipe, distilled, scheduler, request, watch):
    """The base walks its own sigmas, the last of which is replaced by that of the distilled row `switch`; the rest runs as ever."""
    grid_size = grid_of(pipe, request)
    aim = sigmas_of(pipe, scheduler, request["steps"], grid_size)[request["switch"]]
    own = sigmas_of(pipe, pipe.scheduler, request["baseSteps"], grid_size)
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
    pipe(**options_of(pipe, request, request["baseGuidance"]) | {"output_type": "latent"})
    x = watch.latents[-1]
    if watch.packs:
        x = torch.nn.functional.pixel_unshuffle(x, 2).flatten(2).transpose(1, 2)
    pipe.scheduler, pipe.transformer = scheduler, distilled
    even = even_sigmas(pipe, request["steps"])
    left = {} if even is None else {"sigmas": even[request["switch"] :]}
    rest = FlowWatch(grid_size, watch.packs)
    rest.around(scheduler)
    if even is None:
        starts_at(scheduler, request["switch"])
    images = pipe(**options_of(pipe, request, request["guidance"]) | {"latents": x, **left}).images
    watch.latents += rest.latents[1:]
    watch.clean += rest.clean
    watch.timesteps += rest.timesteps
    pipe.scheduler = plain
    return images


def run(pipe, pair, request):
    if isinstance(pipe, (diffusers.SanaPipeline, diffusers.SanaSprintPipeline)):
        watch = FlowWatch(None)
        return watch, sana_runs.run(pipe, pair, request, watch)
    watch = FlowWatch(grid_of(pipe, request), isinstance(pipe, (diffusers.FluxPipeline, diffusers.ChromaPipeline, diffusers.QwenImagePipeline)))
    distilled, scheduler = open_distilled(pair["distilled"], pipe.scheduler) if "distilled" in pair else (None, pipe.scheduler)
    if request["mode"] == "hybrid" and "baseSteps" in request:
        return watch, run_own_grid(pipe, distilled, scheduler, request, watch)
    pipe.scheduler = scheduler
    watch.around(scheduler)
    if request["mode"] == "hybrid":
        return watch, run_shared(pipe, distilled, request)
    pipe.transformer = distilled or pipe.transformer
    return watch, pipe(**options_of(pipe, request, request["guidance"])).images


def record(store):
    hush()
    for name, case in FLOW_CASES.items():
        pair, request = case["pair"], case["request"]
        pipe = open_flow(pair["base"])
        if "decoder" in pair:
            pipe.vae = component(pair["decoder"])
        watch, images = run(pipe, pair, request)
        pixels = torch.from_numpy((images * 255).round().astype(np.uint8))
        tensors = {"xt": torch.stack(watch.latents), "x0": torch.stack(watch.clean), "images": pixels}
        store.put(f"pipelines/{name}", {"pair": pair, "request": request, "timesteps": watch.timesteps}, tensors)
