"""Records whole runs of diffusers' pipelines: every latent on the way, the predicted clean ones, and the pictures."""

import functools
import inspect
import tempfile
from pathlib import Path

import diffusers
import numpy as np
import torch
from transformers.utils import logging

from .component_cases import CHECKPOINTS, components
from .components import EMBEDDED, EMOJI, load, write_checkpoint, write_component
from .run_cases import CASES
from .run_cases import EMBEDDED as EMBEDDED_CASES
from .run_cases import EMBEDDED_COMMON, EMOJI_COMMON
from .steps import predicted, to_vp

# --- opening -------------------------------------------------------------------------------------------------------------


@functools.cache
def component(name):
    """A component, loaded from a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        write_component(Path(folder), components()[name])
        return load(folder, components()[name])


def open_pipeline(name):
    checkpoint = CHECKPOINTS[name]
    parts = {part: component(key) for part, key in checkpoint["components"].items()}
    # Text encoders that are left out must be passed too.
    parts |= {part: None for part, entry in checkpoint["index"].items() if entry == [None, None] and part.endswith("_3")}
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoint(Path(folder), checkpoint, components())
        return quiet(diffusers.DiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32, **parts))


def quiet(pipe):
    pipe.set_progress_bar_config(disable=True)
    return pipe


def open_distilled(distilled):
    """A second UNet, and its scheduler where it comes with one."""
    if "checkpoint" in distilled:
        other = open_pipeline(distilled["checkpoint"])
        return other.unet, other.scheduler
    return component(distilled["component"]), None


def changed(scheduler, request, name=None):
    """
    X.from_config(the checkpoint's), with what the request changes. Where nothing changes the scheduler stays as the
    pipeline made it: from_config would forget the pipeline's own corrections of fields that the file lacks.
    """
    fields = {"timestep_spacing": request.get("spacing"), "prediction_type": request.get("prediction"), "clip_sample": request.get("clipSample")}
    fields = {key: value for key, value in fields.items() if value is not None}
    if not name and not fields:
        return scheduler
    cls = getattr(diffusers, name) if name else type(scheduler)
    return cls.from_config(scheduler.config, **fields)


# --- watching ------------------------------------------------------------------------------------------------------------


class Watch:
    """Stands around a scheduler's step: keeps latents before and after it and the predicted x0, variance preserving."""

    def __init__(self):
        self.latents, self.clean, self.timesteps = [], [], []

    def around(self, scheduler):
        step = type(scheduler).step
        place = 0

        @functools.wraps(step)
        def watched(model_output, timestep, sample, *args, return_dict=True, **kwargs):
            nonlocal place
            if not self.latents:
                self.latents.append(to_vp(scheduler, sample, 0))
            x0 = formula(scheduler, model_output, timestep, sample)
            result = step(scheduler, model_output, timestep, sample, *args, return_dict=True, **kwargs)
            place += 1
            self.timesteps.append(float(timestep))
            self.latents.append(to_vp(scheduler, result.prev_sample, place))
            self.clean.append(x0 if x0 is not None else predicted(scheduler, result))
            return result if return_dict else (result.prev_sample,)

        # Pipelines look at the signature to see whether eta and a generator are wanted.
        watched.__signature__ = inspect.signature(step.__get__(scheduler))
        scheduler.step = watched
        return scheduler


def formula(scheduler, output, timestep, x):
    """PNDM and TCD tell no x0: it follows from their output (Ho et al. 2020, eq. 15; Salimans and Ho 2022, appendix D)."""
    if not isinstance(scheduler, (diffusers.PNDMScheduler, diffusers.TCDScheduler)):
        return None
    a = scheduler.alphas_cumprod[int(timestep)].double()
    if scheduler.config.prediction_type == "v_prediction":
        return (a.sqrt() * x - (1 - a).sqrt() * output).float()
    return ((x - (1 - a).sqrt() * output) / a.sqrt()).float()


# --- running -------------------------------------------------------------------------------------------------------------


def options_of(pipe, request, generators, guidance):
    """The request in the pipeline's words."""
    prompts, each = request["prompts"], len(request["seeds"])
    size = request.get("size") or {}
    walk = {"timesteps": request["timesteps"]} if "timesteps" in request else {"num_inference_steps": request["steps"]}
    if request.get("skip"):
        walk = {"timesteps": left_after_skip(pipe.scheduler, request)}
    options = {
        "prompt": prompts,
        "num_images_per_prompt": each,
        "generator": generators,
        "guidance_scale": guidance,
        "guidance_rescale": request.get("guidanceRescale", 0.0),
        "eta": request.get("eta", 0.0),
        "output_type": "np",
        **{key: size[key] for key in ("width", "height") if key in size},
        **walk,
    }
    if "negative" in request:
        options["negative_prompt"] = [request["negative"]] * len(prompts)
    if request.get("clipSkip"):
        options |= clip_skipped(pipe, request, options, guidance)
    return options


def left_after_skip(scheduler, request):
    """The timesteps that are left when the first `skip` are not run: noise is taken for latents at the first of these."""
    if "timesteps" in request:
        return request["timesteps"][request["skip"] :]
    scheduler.set_timesteps(request["steps"])
    return [int(t) for t in scheduler.timesteps][request["skip"] :]


def clip_skipped(pipe, request, options, guidance):
    """diffusers' SD pipeline cannot skip with transformers 5 (text_model is gone); what it means is done by hand."""
    if isinstance(pipe, diffusers.StableDiffusionXLPipeline):
        return {"clip_skip": request["clipSkip"]}
    options.pop("negative_prompt", None)

    def encode(prompts, back):
        ids = pipe.tokenizer(prompts, padding="max_length", max_length=pipe.tokenizer.model_max_length,
                             truncation=True, return_tensors="pt").input_ids  # fmt: skip
        states = pipe.text_encoder(ids, output_hidden_states=True).hidden_states
        return pipe.text_encoder.final_layer_norm(states[-1 - back])

    # It acts on the prompt, never on the negative prompt.
    embeds = {"prompt": None, "prompt_embeds": encode(request["prompts"], request["clipSkip"])}
    if guidance > 1:
        embeds["negative_prompt_embeds"] = encode([request.get("negative", "")] * len(request["prompts"]), 0)
    return embeds


def generators_of(request):
    return [torch.Generator().manual_seed(seed) for _ in request["prompts"] for seed in request["seeds"]]


def tensor_names(pipe):
    sdxl = isinstance(pipe, diffusers.StableDiffusionXLPipeline)
    return ["latents", "prompt_embeds"] + (["add_text_embeds", "add_time_ids"] if sdxl else [])


def run_plain(pipe, request, watch):
    watch.around(pipe.scheduler)
    return pipe(**options_of(pipe, request, generators_of(request), request["guidance"])).images


def run_shared(pipe, distilled, request, watch):
    """The base takes the first `switch` steps, or those listed; the other UNet takes the rest, with its own guidance."""
    watch.around(pipe.scheduler)
    base, switch = pipe.unet, request["switch"]
    taken = switch if isinstance(switch, list) else list(range(switch))

    def hand_over(pipe, i, _t, kept):
        was_guided = pipe.do_classifier_free_guidance
        pipe.unet = base if i + 1 in taken else distilled
        pipe._guidance_scale = request["baseGuidance"] if i + 1 in taken else request["guidance"]
        if not was_guided or pipe.do_classifier_free_guidance:
            return {}
        # The conditional halves go on alone.
        return {key: value.chunk(2)[-1] for key, value in kept.items() if key != "latents"}

    guidance = request["baseGuidance"] if 0 in taken else request["guidance"]
    if 0 not in taken:
        pipe.unet = distilled
    images = pipe(
        **options_of(pipe, request, generators_of(request), guidance),
        callback_on_step_end=hand_over,
        callback_on_step_end_tensor_inputs=tensor_names(pipe),
    ).images
    pipe.unet = base
    return images


def run_own_schedule(pipe, distilled, request, watch):
    """
    The base runs its own schedule until it is no noisier than the distilled row `switch`; fresh noise, drawn from the same
    generators, brings it to exactly that level; the distilled model goes on from there.
    """
    file = pipe.scheduler
    generators = generators_of(request)
    last = changed(file, request, request["scheduler"])
    last.set_timesteps(timesteps=request["timesteps"])
    rest = request["timesteps"][request["switch"] if "switch" in request else request["ratio"]["distilled"] :]
    aim = float(last.alphas_cumprod[rest[0]].double())

    pipe.scheduler = watch.around(changed(file, {"spacing": request.get("baseSpacing"), "clipSample": request.get("baseClipSample")}, request.get("baseScheduler")))
    reached = []

    def stop(pipe, i, t, _kept):
        if not reached:
            level = level_after(pipe.scheduler, i, int(t))
            if level >= aim:
                reached.append(level)
                pipe._interrupt = True
        return {}

    steps = request["baseSteps"] if "baseSteps" in request else steps_for(request["ratio"], len(request["timesteps"]))
    walk = {key: value for key, value in request.items() if key != "timesteps"} | {"steps": steps}
    pipe(**options_of(pipe, walk, generators, request["baseGuidance"]) | {"output_type": "latent"}, callback_on_step_end=stop)
    x, level = watch.latents[-1], reached[0]
    if abs(aim / level - 1) > 1e-6:
        fresh = torch.cat([torch.randn([1, *x.shape[1:]], generator=g) for g in generators])
        x = (aim / level) ** 0.5 * x + (1 - aim / level) ** 0.5 * fresh
        watch.latents.append(x)
    pipe.scheduler, pipe.unet = watch.around(last), distilled
    then = {**request, "timesteps": rest}
    return pipe(**options_of(pipe, then, generators, request["guidance"]), latents=x).images


def steps_for(ratio, rows):
    """Steps of a whole base schedule of which `base` replace `distilled` of the rows."""
    return rows * ratio["base"] // ratio["distilled"]


def level_after(scheduler, i, t):
    """alpha-bar after step `i` of a scheduler."""
    if hasattr(scheduler, "sigmas"):
        return float(1 / (scheduler.sigmas[i + 1].double() ** 2 + 1))
    before = t - scheduler.config.num_train_timesteps // scheduler.num_inference_steps
    return float(scheduler.alphas_cumprod[before] if before >= 0 else scheduler.final_alpha_cumprod)


def recorded(watch, images):
    """Axis 0: step; axis 1: picture (prompts outside, seeds inside)."""
    pixels = torch.from_numpy((images * 255).round().astype(np.uint8))
    return {"xt": torch.stack(watch.latents), "x0": torch.stack(watch.clean), "images": pixels}


def run(pipe, distilled, own_scheduler, request):
    watch = Watch()
    owner = own_scheduler or pipe.scheduler
    if request["mode"] == "hybrid" and ("baseSteps" in request or "ratio" in request):
        return watch, run_own_schedule(pipe, distilled, request, watch)
    pipe.scheduler = changed(owner, request, request.get("scheduler"))
    if request["mode"] == "hybrid":
        return watch, run_shared(pipe, distilled, request, watch)
    if request["mode"] == "distilled":
        pipe.unet = distilled
    return watch, run_plain(pipe, request, watch)


def hush():
    diffusers.utils.logging.disable_progress_bar()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    diffusers.utils.logging.set_verbosity_error()


def record(store):
    hush()
    for name, case in CASES.items():
        pair, request = case["pair"], {k: v for k, v in case["request"].items() if v is not None}
        pipe = open_pipeline(pair["base"])
        distilled, own = open_distilled(pair["distilled"]) if "distilled" in pair else (None, None)
        if "decoder" in pair:
            pipe.vae = component(pair["decoder"])
        watch, images = run(pipe, distilled, own, request)
        description = {"pair": pair, "request": request, "timesteps": watch.timesteps}
        store.put(f"pipelines/{name}", description, recorded(watch, images))


def record_embedded(store):
    hush()
    distilled = diffusers.UNet2DConditionModel.from_pretrained(EMBEDDED / "distilled" / "unet", torch_dtype=torch.float32)
    pictures = record_shipped(store, "embedded", EMBEDDED, distilled, EMBEDDED_COMMON)
    store.put("embedded/clip", {"prompts": EMBEDDED_COMMON["prompts"], "pictures": "embedded/hybrid"}, measure(pictures["hybrid"]))


def record_emoji(store):
    hush()
    pipe = shipped_pipeline(EMOJI)
    pipe.load_lora_weights(EMOJI / "adapters", weight_name="distilled.safetensors")
    pipe.fuse_lora()
    pipe.unload_lora_weights()
    record_shipped(store, "emoji", EMOJI, pipe.unet, EMOJI_COMMON)


def shipped_pipeline(folder):
    return quiet(diffusers.StableDiffusionXLPipeline.from_pretrained(folder / "base", torch_dtype=torch.float32))


def record_shipped(store, pair, folder, distilled, common):
    """A shipped pair's base, distilled model and hybrid; returns the images of each."""
    pictures = {}
    for name, asked in EMBEDDED_CASES.items():
        request = {**common, **asked}
        watch, images = run(shipped_pipeline(folder), distilled, None, request)
        tensors = recorded(watch, images)
        pictures[name] = tensors["images"]
        final = {"latents": tensors["xt"][-1], "images": tensors["images"]}
        store.put(f"{pair}/{name}", {"request": request, "timesteps": watch.timesteps}, final)
    return pictures


def measure(images):
    """What the pair's CLIP makes of pictures and prompt, before both are brought to unit length."""
    from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

    folder = EMBEDDED / "clip"
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer, processor = CLIPTokenizer.from_pretrained(folder), CLIPImageProcessor.from_pretrained(folder)
    ids = tokenizer(EMBEDDED_COMMON["prompts"], padding="max_length", max_length=tokenizer.model_max_length,
                    truncation=True, return_tensors="pt").input_ids  # fmt: skip
    pixels = processor(images=list(images.numpy()), return_tensors="pt")["pixel_values"]
    text = model.text_projection(model.text_model(input_ids=ids).pooler_output)
    image = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
    return {"text": text, "image": image}
