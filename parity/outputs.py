"""Records every network alone, loaded by its own library from a folder as checkpoints have it."""

import tempfile
from pathlib import Path

import torch
from diffusers import FluxPipeline
from transformers.utils import logging

from .component_cases import END, START, components
from .components import load, write_component
from .weights import noise

# Outputs above this many values are sampled at a stride.
MOST = 65_536


def grown(seed, *shape, scale=1.0):
    return {"seed": seed, "shape": list(shape)} | ({"scale": scale} if scale != 1.0 else {})


def given(values):
    return {"values": values}


def tensor(entry):
    """An input from its description."""
    if "values" in entry:
        return torch.tensor(entry["values"])
    return noise(entry["shape"], entry["seed"]) * entry.get("scale", 1.0)


# --- UNets ---------------------------------------------------------------------------------------------------------------


def unet_runs(described):
    """Two samples at different timesteps on latents that are not square, and sizes that do not halve evenly."""
    config = described["config"]
    channels, levels = config.get("in_channels", 4), len(config["block_out_channels"])
    width = config["cross_attention_dim"]
    width = width[0] if isinstance(width, list) else width
    times = [[999, 1], [749.25, 20.5], [500, 259]]
    sizes = [(8, 16), (10, 14), (5, 7)] if levels > 2 else [(6, 10), (3, 5)]
    for i, (height, breadth) in enumerate(sizes):
        inputs = {
            "sample": grown(i * 10 + 1, 2, channels, height, breadth),
            "timestep": given(times[i]),
            "encoder_hidden_states": grown(i * 10 + 2, 2, 9 - i, width),
        }
        if config.get("addition_embed_type"):
            pooled = config["projection_class_embeddings_input_dim"] - 6 * config["addition_time_embed_dim"]
            inputs["text_embeds"] = grown(i * 10 + 3, 2, pooled)
            inputs["time_ids"] = given([[64.0, 128.0, 0.0, 0.0, 64.0, 128.0], [1024.0, 768.0, 16.0, 32.0, 512.0, 640.0]])
        if config.get("time_cond_proj_dim"):
            inputs["timestep_cond"] = grown(i * 10 + 4, 2, config["time_cond_proj_dim"])
        yield inputs


def run_unet(model, inputs):
    added = {key: inputs[key] for key in ("text_embeds", "time_ids") if key in inputs}
    prediction = model(
        inputs["sample"],
        inputs["timestep"],
        inputs["encoder_hidden_states"],
        timestep_cond=inputs.get("timestep_cond"),
        added_cond_kwargs=added or None,
    ).sample
    return {"prediction": prediction}


# --- diffusion transformers ------------------------------------------------------------------------------------------------


def z_image_runs(described):
    """Image and text streams that need padding, that need none, and of which one needs some."""
    channels, features = described["config"]["in_channels"], described["config"]["cap_feat_dim"]
    times = [[1000.0, 20.5], [749.25, 500.0], [300.0, 998.0]]
    for i, ((height, breadth), tokens) in enumerate(zip([(6, 10), (8, 16), (10, 4)], [5, 32, 40])):
        yield {
            "sample": grown(i * 10 + 1, 2, channels, height, breadth),
            "timestep": given(times[i]),
            "encoder_hidden_states": grown(i * 10 + 2, 2, tokens, features, scale=3.0),
        }


def run_z_image(model, inputs):
    """The velocity ε − x0, as the pipeline makes it of the output."""
    latents = list(inputs["sample"].unsqueeze(2))
    out = model(latents, (1000 - inputs["timestep"]) / 1000, list(inputs["encoder_hidden_states"]), return_dict=False)[0]
    return {"prediction": -torch.stack(out).squeeze(2)}


def flux2_runs(described):
    config = described["config"]
    times = [[1000.0, 20.5], [749.25, 500.0]]
    for i, ((height, breadth), tokens) in enumerate(zip([(3, 5), (4, 2)], [7, 12])):
        inputs = {
            "sample": grown(i * 10 + 1, 2, config["in_channels"], height, breadth),
            "timestep": given(times[i]),
            "encoder_hidden_states": grown(i * 10 + 2, 2, tokens, config["joint_attention_dim"], scale=3.0),
        }
        if config["guidance_embeds"]:
            inputs["guidance"] = given([4.0, 1.5])
        yield inputs


def run_flux2(model, inputs):
    """The velocity on the grid of latents; positions as the pipeline numbers them."""
    sample, text = inputs["sample"], inputs["encoder_hidden_states"]
    _, channels, height, width = sample.shape
    grid = torch.cartesian_prod(torch.arange(1), torch.arange(height), torch.arange(width), torch.arange(1))
    words = torch.cartesian_prod(torch.arange(1), torch.arange(1), torch.arange(1), torch.arange(text.shape[1]))
    out = model(
        hidden_states=sample.flatten(2).transpose(1, 2), timestep=inputs["timestep"] / 1000, guidance=inputs.get("guidance"),
        encoder_hidden_states=text, txt_ids=words, img_ids=grid, return_dict=False,
    )[0]  # fmt: skip
    return {"prediction": out.transpose(1, 2).unflatten(2, (height, width))}


def flux1_runs(described):
    config = described["config"]
    channels, times = config["in_channels"] // 4, [[1000.0, 20.5], [749.25, 500.0]]
    for i, ((height, breadth), tokens) in enumerate(zip([(6, 10), (8, 4)], [7, 12])):
        inputs = {
            "sample": grown(i * 10 + 1, 2, channels, height, breadth),
            "timestep": given(times[i]),
            "encoder_hidden_states": grown(i * 10 + 2, 2, tokens, config["joint_attention_dim"], scale=3.0),
            "pooled_projections": grown(i * 10 + 3, 2, config["pooled_projection_dim"], scale=2.0),
        }
        if config["guidance_embeds"]:
            inputs["guidance"] = given([3.5, 1.0])
        yield inputs


def run_flux1(model, inputs):
    """The velocity on the grid of latents, packed and unpacked as the pipeline does."""
    sample, text = inputs["sample"], inputs["encoder_hidden_states"]
    batch, channels, height, width = sample.shape
    packed = FluxPipeline._pack_latents(sample, batch, channels, height, width)
    ids = FluxPipeline._prepare_latent_image_ids(batch, height // 2, width // 2, "cpu", torch.float32)
    out = model(
        hidden_states=packed, timestep=inputs["timestep"] / 1000, guidance=inputs.get("guidance"), pooled_projections=inputs["pooled_projections"],
        encoder_hidden_states=text, txt_ids=torch.zeros(text.shape[1], 3), img_ids=ids, return_dict=False,
    )[0]  # fmt: skip
    return {"prediction": FluxPipeline._unpack_latents(out, 8 * height, 8 * width, 8)}


def chroma_runs(described):
    """A text of which the last tokens are hidden, in each sample another number."""
    config = described["config"]
    channels, times = config["in_channels"] // 4, [[1000.0, 20.5], [749.25, 500.0]]
    for i, ((height, breadth), tokens) in enumerate(zip([(6, 10), (8, 4)], [7, 12])):
        visible = [[1.0 if j < kept else 0.0 for j in range(tokens)] + [1.0] * (height * breadth // 4) for kept in (tokens - 3, 2)]
        yield {
            "sample": grown(i * 10 + 1, 2, channels, height, breadth),
            "timestep": given(times[i]),
            "encoder_hidden_states": grown(i * 10 + 2, 2, tokens, config["joint_attention_dim"], scale=3.0),
            "attention_mask": given(visible),
        }


def run_chroma(model, inputs):
    """The velocity on the grid of latents. Keys are hidden by a mask of truth values, as in training."""
    sample, text = inputs["sample"], inputs["encoder_hidden_states"]
    batch, channels, height, width = sample.shape
    packed = FluxPipeline._pack_latents(sample, batch, channels, height, width)
    ids = FluxPipeline._prepare_latent_image_ids(batch, height // 2, width // 2, "cpu", torch.float32)
    out = model(
        hidden_states=packed, timestep=inputs["timestep"] / 1000, encoder_hidden_states=text, txt_ids=torch.zeros(text.shape[1], 3),
        img_ids=ids, attention_mask=inputs["attention_mask"].bool(), return_dict=False,
    )[0]  # fmt: skip
    return {"prediction": FluxPipeline._unpack_latents(out, 8 * height, 8 * width, 8)}


def sd3_runs(described):
    """Crops of the table of positions from its middle, with even and odd margins."""
    config = described["config"]
    times = [[1000.0, 20.5], [749.25, 500.0]]
    for i, ((height, breadth), tokens) in enumerate(zip([(6, 10), (8, 4)], [7, 12])):
        yield {
            "sample": grown(i * 10 + 1, 2, config["in_channels"], height, breadth),
            "timestep": given(times[i]),
            "encoder_hidden_states": grown(i * 10 + 2, 2, tokens, config["joint_attention_dim"], scale=3.0),
            "pooled_projections": grown(i * 10 + 3, 2, config["pooled_projection_dim"], scale=2.0),
        }


def run_sd3(model, inputs):
    out = model(
        hidden_states=inputs["sample"], timestep=inputs["timestep"], encoder_hidden_states=inputs["encoder_hidden_states"],
        pooled_projections=inputs["pooled_projections"], return_dict=False,
    )[0]  # fmt: skip
    return {"prediction": out}


def run_qwen_image(model, inputs):
    """The velocity on the grid of latents, packed and unpacked as the pipeline does."""
    sample, text = inputs["sample"], inputs["encoder_hidden_states"]
    batch, channels, height, width = sample.shape
    packed = FluxPipeline._pack_latents(sample, batch, channels, height, width)
    out = model(
        hidden_states=packed, timestep=inputs["timestep"] / 1000, encoder_hidden_states=text, img_shapes=[[(1, height // 2, width // 2)]] * batch,
        encoder_hidden_states_mask=inputs["attention_mask"][:, : text.shape[1]], return_dict=False,
    )[0]  # fmt: skip
    return {"prediction": FluxPipeline._unpack_latents(out, 8 * height, 8 * width, 8)}


def sana_runs(described):
    """Texts of which the last tokens are hidden, in each sample another number."""
    config = described["config"]
    times = [[1000.0, 20.5], [749.25, 500.0]]
    for i, ((height, breadth), tokens) in enumerate(zip([(3, 5), (4, 2)], [7, 12])):
        inputs = {
            "sample": grown(i * 10 + 1, 2, config["in_channels"], height, breadth),
            "timestep": given(times[i]),
            "encoder_hidden_states": grown(i * 10 + 2, 2, tokens, config["caption_channels"], scale=3.0),
            "attention_mask": given([[1.0 if j < kept else 0.0 for j in range(tokens)] for kept in (tokens - 3, 2)]),
        }
        if config.get("guidance_embeds"):
            inputs["guidance"] = given([4.5, 1.0])
        yield inputs


def run_sana(model, inputs):
    """Times and guidance scales as the two pipelines make them."""
    guided = model.config.guidance_embeds
    time = inputs["timestep"] / 1000 if guided else inputs["timestep"] * model.config.timestep_scale
    given_scale = {"guidance": inputs["guidance"] * model.config.guidance_embeds_scale} if guided else {}
    out = model(
        inputs["sample"], encoder_hidden_states=inputs["encoder_hidden_states"], timestep=time,
        encoder_attention_mask=inputs["attention_mask"], return_dict=False, **given_scale,
    )[0]  # fmt: skip
    return {"prediction": out}


# --- text and images -----------------------------------------------------------------------------------------------------


def padded(words, pad, length=32):
    ids = [START, *words, END]
    return ids + [pad] * (length - len(ids))


def text_runs(_):
    """Padded with the end token and with 0; full; and with an end token in the middle, where pooling stops."""
    yield {"input_ids": given([padded([5, 600, 17, 3], END), padded([40, 41, 42, 43, 44, 45], 0)])}
    yield {"input_ids": given([padded(list(range(100, 130)), END), padded([7, END, 8, 9], 0), padded([], END)])}


def encoder(model):
    return getattr(model, "text_model", model)


def run_text(model, inputs):
    result = model(inputs["input_ids"], output_hidden_states=True)
    norm, states = encoder(model).final_layer_norm, result.hidden_states
    outputs = {"last": result.last_hidden_state}
    for back in range(1, min(2, len(states) - 1) + 1):
        # SDXL takes states before the end as they are; SD's clip skip puts the final norm on them.
        outputs |= {f"state-{back}": states[-1 - back], f"normed-{back}": norm(states[-1 - back])}
    outputs["pooled"] = encoder(model)(inputs["input_ids"]).pooler_output
    if hasattr(result, "text_embeds"):
        outputs["text_embeds"] = result.text_embeds
    return outputs


def language_runs(_):
    """Two prompts, each of the same length: causal, so that what follows a token does not matter."""
    yield {"input_ids": given([[5, 300, 17, 3, 5, 5, 380], [1, 2, 3, 4, 5, 6, 7]])}


def run_language(model, inputs):
    states = model(inputs["input_ids"], output_hidden_states=True).hidden_states
    return {f"layer-{i}": state for i, state in enumerate(states[:-1])}


def run_vision_language(model, inputs):
    """The states of a model that reads images too, from text alone; the final norm is on the last."""
    states = model(input_ids=inputs["input_ids"], output_hidden_states=True).hidden_states
    return {f"layer-{i}": state for i, state in enumerate(states[:-1])} | {"normed": states[-1]}


def run_gemma2(model, inputs):
    """The last hidden state, after the final norm."""
    return {"hidden_state": getattr(model, "model", model)(inputs["input_ids"]).last_hidden_state}


def t5_runs(_):
    """More tokens than the farthest distance that is told apart, with padding that is attended to; and padding that is hidden."""
    long = [(7 * i * i + 3 * i) % 500 + 3 for i in range(139)] + [1]
    yield {"input_ids": given([long, [5, 300, 17, 1] + [0] * 136])}
    masked = [[9, 41, 300, 7, 1] + [0] * 31]
    yield {"input_ids": given(masked), "attention_mask": given([[1.0] * 5 + [0.0] * 31])}


def run_t5(model, inputs):
    return {"hidden_state": model(inputs["input_ids"], attention_mask=inputs.get("attention_mask")).last_hidden_state}


def clip_runs(_):
    yield {"input_ids": given([padded([5, 600, 17, 3], END), padded([40, 41], END)]), "image": grown(21, 3, 3, 24, 24)}


def run_clip(model, inputs):
    """Both towers before they are brought to unit length."""
    image = model.vision_model(pixel_values=inputs["image"]).pooler_output
    text = model.text_model(input_ids=inputs["input_ids"]).pooler_output
    return {"image_embeds": model.visual_projection(image), "text_embeds": model.text_projection(text)}


# --- autoencoders --------------------------------------------------------------------------------------------------------


def autoencoder_runs(described):
    config = described["config"]
    levels = len(config.get("block_out_channels", config.get("decoder_block_out_channels", [])))
    factor, channels = 2 ** (levels - 1), config.get("latent_channels", 4)
    for i, (height, width) in enumerate([(6, 4), (5, 7)]):
        yield {
            "latents": grown(31 + 10 * i, 2, channels, height, width, scale=2.0),
            "image": grown(32 + 10 * i, 2, 3, height * factor, width * factor, scale=0.5),
        }


def run_kl(model, inputs):
    posterior = model.encode(inputs["image"]).latent_dist
    return {"image": model.decode(inputs["latents"]).sample, "mean": posterior.mean, "logvar": posterior.logvar}


def run_dc(model, inputs):
    return {"image": model.decode(inputs["latents"]).sample, "mean": model.encode(inputs["image"]).latent}


def folded_runs(described):
    """Latents as the denoiser of FLUX.2 has them: squares of four are channels, normalised."""
    for inputs in autoencoder_runs(described):
        _, channels, height, width = inputs["latents"]["shape"]
        inputs["latents"] = {**inputs["latents"], "shape": [2, 4 * channels, height, width]}
        inputs["image"] = {**inputs["image"], "shape": inputs["image"]["shape"]}
        yield inputs


def run_folded(model, inputs):
    deviation = (model.bn.running_var + model.config.batch_norm_eps).sqrt().view(1, -1, 1, 1)
    z = inputs["latents"] * deviation + model.bn.running_mean.view(1, -1, 1, 1)
    batch, channels, height, width = z.shape
    z = z.reshape(batch, channels // 4, 2, 2, height, width).permute(0, 1, 4, 2, 5, 3).reshape(batch, channels // 4, 2 * height, 2 * width)
    posterior = model.encode(inputs["image"]).latent_dist
    return {"image": model.decode(z).sample, "mean": posterior.mean, "logvar": posterior.logvar}


def frame_runs(described):
    """Images without the axis of frames, of which there is one."""
    levels, channels = len(described["config"]["dim_mult"]), described["config"]["z_dim"]
    yield from autoencoder_runs({"config": {"block_out_channels": [0] * levels, "latent_channels": channels}})


def run_frame(model, inputs):
    """The decoder's output before it is cut to −1 … 1."""
    model.clear_cache()
    latents = model.post_quant_conv(inputs["latents"].unsqueeze(2))
    image = model.decoder(latents, feat_cache=model._feat_map, feat_idx=model._conv_idx)
    posterior = model.encode(inputs["image"].unsqueeze(2)).latent_dist
    return {"image": image.squeeze(2), "mean": posterior.mean.squeeze(2), "logvar": posterior.logvar.squeeze(2)}


def run_tiny(model, inputs):
    return {"image": model.decode(inputs["latents"]).sample, "mean": model.encode(inputs["image"]).latents}


RUNS = {
    "UNet2DConditionModel": (unet_runs, run_unet),
    "Flux2Transformer2DModel": (flux2_runs, run_flux2),
    "AutoencoderKLFlux2": (folded_runs, run_folded),
    "ZImageTransformer2DModel": (z_image_runs, run_z_image),
    "FluxTransformer2DModel": (flux1_runs, run_flux1),
    "ChromaTransformer2DModel": (chroma_runs, run_chroma),
    "SanaTransformer2DModel": (sana_runs, run_sana),
    "SD3Transformer2DModel": (sd3_runs, run_sd3),
    "QwenImageTransformer2DModel": (chroma_runs, run_qwen_image),
    "Qwen2_5_VLForConditionalGeneration": (language_runs, run_vision_language),
    "T5EncoderModel": (t5_runs, run_t5),
    "Gemma2Model": (language_runs, run_gemma2),
    "Gemma2ForCausalLM": (language_runs, run_gemma2),
    "Qwen3Model": (language_runs, run_language),
    "Qwen3ForCausalLM": (language_runs, run_language),
    "CLIPTextModel": (text_runs, run_text),
    "CLIPTextModelWithProjection": (text_runs, run_text),
    "CLIPModel": (clip_runs, run_clip),
    "AutoencoderKL": (autoencoder_runs, run_kl),
    "AutoencoderKLQwenImage": (frame_runs, run_frame),
    "AutoencoderDC": (autoencoder_runs, run_dc),
    "AutoencoderTiny": (autoencoder_runs, run_tiny),
}


def record(store):
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    for name, described in components().items():
        runs, run = RUNS[described["class"]]
        with tempfile.TemporaryDirectory() as folder:
            write_component(Path(folder), described)
            model = load(folder, described)
        listed, tensors = [], {}
        for i, inputs in enumerate(runs(described)):
            outputs = run(model, {key: tensor(entry) for key, entry in inputs.items()})
            listed.append({"inputs": inputs, "outputs": {}})
            for key, value in outputs.items():
                stride = -(-value.numel() // MOST)
                listed[-1]["outputs"][key] = {"shape": list(value.shape), "stride": stride}
                tensors[f"{i}/{key}"] = value if stride == 1 else value.flatten()[::stride]
        store.put(f"networks/{name}", {"component": name, "runs": listed}, tensors)
