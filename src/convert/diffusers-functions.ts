/** Functions of a script for diffusers that encode prompts, call a network, and decode latents. */

/** Facts of a plan that select the lines of the script. */
export interface Facts {
  readonly sdxl: boolean;
  readonly guided: boolean;
  readonly rescale: number;
  /** The guidance scale is an input of a network. */
  readonly embedded: boolean;
  readonly clipSkip: number;
  /** The request has no negative prompt. */
  readonly zeros: boolean;
  /** LoRAs act: text is encoded for each model. */
  readonly adapted: boolean;
}

export const pipelineModule = ({ sdxl }: Facts) => {
  const name = sdxl ? "stable_diffusion_xl" : "stable_diffusion";
  return `diffusers.pipelines.${name}.pipeline_${name}`;
};

/** Lines that decode the latents x. */
export function decodeLines(normalised: boolean): string[] {
  const decoded = (latents: string) =>
    `return x, pipe.image_processor.postprocess(pipe.vae.decode(${latents}).sample)[0]`;
  if (!normalised) return [decoded("x / pipe.vae.config.scaling_factor")];
  return [
    "config = pipe.vae.config",
    "mean, std = (torch.tensor(v, device=device).view(1, -1, 1, 1) for v in (config.latents_mean, config.latents_std))",
    decoded("x * std / config.scaling_factor + mean"),
  ];
}

export function encodeLines({ sdxl, guided, clipSkip, zeros, adapted }: Facts): string[] {
  const options = [
    sdxl ? "prompt=prompt" : "prompt",
    "device=device, num_images_per_prompt=1",
    `do_classifier_free_guidance=${guided ? "True, negative_prompt=negative" : "False"}`,
    ...(clipSkip > 0 ? [`clip_skip=${clipSkip}`] : []),
  ];
  const call = `pipe.encode_prompt(${options.join(", ")})`;
  const note = guided && zeros && sdxl ? "  # without a negative prompt the embeddings are zeros" : "";
  const encoders = sdxl ? "pipe.text_encoder, pipe.text_encoder_2" : "pipe.text_encoder,";
  const head = [
    `def encode(prompt${adapted ? ", model" : ""}):${note}`,
    // A LoRA that is the distilled model changes its UNet only.
    ...(adapted
      ? [
          `    own = {name: scale for name, scale in scales[model].items() if name in loras}`,
          `    for encoder in (${encoders}):`,
          "        adapt(encoder, own)",
        ]
      : []),
  ];
  if (!sdxl) return [...head, `    return ${call}`];
  return [
    ...head,
    `    hidden, negative_hidden, pooled, negative_pooled = ${call}`,
    "    return (hidden, pooled), (negative_hidden, negative_pooled)",
  ];
}

export function predictLines({ sdxl, guided, rescale, embedded, adapted }: Facts, pick: readonly string[]): string[] {
  const options = [
    "encoder_hidden_states=hidden",
    ...(sdxl ? ["added_cond_kwargs=added"] : []),
    ...(embedded ? ["timestep_cond=embedding"] : []),
  ];
  return [
    "def predict(model, x, t, guidance, text):",
    ...pick.map((line) => `    ${line}`),
    ...(adapted ? ["    adapt(unet, scales[model])", "    text = text[model]"] : []),
    ...(embedded
      ? [
          "    features = unet.config.time_cond_proj_dim  # guidance scale as an input",
          "    embedding = features and pipe.get_guidance_scale_embedding(torch.tensor([guidance - 1.0]), features).to(device)",
        ]
      : []),
    "",
    "    def call(part):",
    ...(sdxl
      ? [
          "        hidden, pooled = part",
          "        ids = torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32, device=device)",
          '        added = {"text_embeds": pooled, "time_ids": ids}',
        ]
      : ["        hidden = part"]),
    `        return unet(x, t, ${options.join(", ")}).sample`,
    "",
    ...(guided
      ? [
          `    if guidance <= 1${embedded ? " or features" : ""}:`,
          "        return call(text[0])",
          "    cond, uncond = call(text[0]), call(text[1])",
          "    output = uncond + guidance * (cond - uncond)",
          rescale > 0 ? `    return rescale_noise_cfg(output, cond, guidance_rescale=${rescale})` : "    return output",
        ]
      : ["    return call(text[0])"]),
  ];
}
