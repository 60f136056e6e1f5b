/** The transformer of SANA as a denoiser. */
import { float, stack } from "../tensor/index.js";
import { type Conditioning, type Denoiser, type ImageSize, timestepsOf } from "./denoiser.js";
import { drawSana } from "./sana.js";
import type { SanaConfig } from "./sana-config.js";

/** Denoiser of a SANA config. @param scaleFactor VAE scale factor: pixels per latent along each side */
export function sanaDenoiser(config: SanaConfig, scaleFactor: number): Denoiser {
  const side = config.side * scaleFactor;
  const embedsGuidance = config.guidanceScale !== null;
  return {
    config,
    channels: config.channels,
    size: { width: side, height: side },
    multiple: scaleFactor,
    embedsGuidance,
    interface: {
      in_channels: config.channels,
      out_channels: config.predicted,
      caption_channels: config.textFeatures,
    },
    smallest: { height: 2, width: 2, tokens: 8 },
    textFeatures: config.textFeatures,
    latents: ({ width, height }: ImageSize) => [1, config.channels, height / scaleFactor, width / scaleFactor],
    draw: (shape, index) => drawSana(config, index, shape),
    inputs: ({ latents, timestep, conditioning, guidance }) => ({
      sample: stack(latents),
      timestep: timestepsOf({ latents, timestep }),
      encoder_hidden_states: stack(conditioning.flatMap((c) => c.streams["text"] ?? [])),
      attention_mask: stack(conditioning.map(maskOf)),
      ...(embedsGuidance && { guidance: float([latents.length], new Float32Array(latents.length).fill(guidance)) }),
    }),
  };
}

/** Mask [1, L] of the tokens of one text. */
function maskOf({ streams, masks }: Conditioning) {
  const tokens = streams["text"]?.shape[1] ?? 0;
  return masks?.["text"] ?? float([1, tokens], new Float32Array(tokens).fill(1));
}
