/** The UNet of Stable Diffusion and SDXL as a denoiser. */
import { float, stack, type Tensor } from "../tensor/index.js";
import { type Denoiser, type DenoiserCall, timestepsOf } from "./denoiser.js";
import { guidanceEmbedding } from "./guidance-embedding.js";
import { drawUNet } from "./unet.js";
import type { UNetConfig } from "./unet-config.js";

/** Denoiser of a UNet config. @param scaleFactor VAE scale factor: pixels per latent along each side */
export function unetDenoiser(config: UNetConfig, scaleFactor: number): Denoiser {
  const { sampleSize } = config;
  const side = 2 ** config.down.length;
  return {
    config,
    channels: config.inChannels,
    size: sampleSize && { height: sampleSize[0] * scaleFactor, width: sampleSize[1] * scaleFactor },
    multiple: scaleFactor,
    embedsGuidance: config.guidanceFeatures !== null,
    interface: {
      in_channels: config.inChannels,
      out_channels: config.outChannels,
      cross_attention_dim: config.contextFeatures,
      projection_class_embeddings_input_dim: config.textTime?.features ?? null,
    },
    smallest: { height: side, width: side, tokens: 8 },
    textFeatures: config.contextFeatures,
    latents: ({ width, height }) => [1, config.inChannels, height / scaleFactor, width / scaleFactor],
    draw: (shape, index) => drawUNet(config, index, shape),
    inputs: (call) => inputs(config, call),
  };
}

function inputs(config: UNetConfig, { latents, timestep, conditioning, guidance, size }: DenoiserCall) {
  const batch = latents.length;
  const feeds: Record<string, Tensor> = {
    sample: stack(latents),
    timestep: timestepsOf({ latents, timestep }),
    encoder_hidden_states: stack(conditioning.flatMap((c) => c.streams["text"] ?? [])),
  };
  if (config.textTime) {
    feeds["text_embeds"] = stack(conditioning.flatMap((c) => c.pooled ?? []));
    // Original size, crop offset, target size; height before width (SDXL, Podell et al. 2023, §2.2).
    const ids = [size.height, size.width, 0, 0, size.height, size.width];
    feeds["time_ids"] = float(
      [batch, 6],
      Float32Array.from({ length: 6 * batch }, (_, i) => ids[i % 6] ?? 0),
    );
  }
  if (config.guidanceFeatures !== null) {
    const embedding = guidanceEmbedding(guidance, config.guidanceFeatures);
    feeds["timestep_cond"] = stack(latents.map(() => embedding));
  }
  return feeds;
}
