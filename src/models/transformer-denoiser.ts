/** What the transformers of all families share as denoisers: sizes in tokens, and inputs for latents, time, text and guidance. */
import { type FloatTensor, float, stack, type Tensor } from "../tensor/index.js";
import { type Conditioning, type Denoiser, type DenoiserCall, type ImageSize, timestepsOf } from "./denoiser.js";

/** Size of an image in pixels that diffusers' pipelines make by default, for networks whose config does not state one. */
const SIDE = 1024;
/** Text tokens of the shape that graphs are built with to check weights. */
const FEW_TOKENS = 8;

type Own = "channels" | "interface" | "textFeatures" | "draw";
type Optional = "longest" | "textTokens" | "embedsGuidance" | "smallest";

/** One family's transformer. */
export interface TransformerParts<C extends object> extends Pick<Denoiser, Own>, Partial<Pick<Denoiser, Optional>> {
  readonly config: C;
  /** Pixels per latent along each side. */
  readonly scaleFactor: number;
  /** Latents per token along each side. */
  readonly patch: number;
  /** Latent height and width that the network was trained for, where its config states it. */
  readonly side?: number;
  /** Inputs besides latents, timestep, text, and guidance where it is embedded. */
  inputs?(call: DenoiserCall): Record<string, Tensor>;
}

/** A family's transformer as a denoiser. */
export function transformerDenoiser<C extends object>({
  scaleFactor,
  patch,
  side,
  inputs,
  embedsGuidance = false,
  ...own
}: TransformerParts<C>): Denoiser {
  const pixels = side === undefined ? SIDE : side * scaleFactor;
  return {
    size: { width: pixels, height: pixels },
    multiple: patch * scaleFactor,
    embedsGuidance,
    smallest: { height: patch, width: patch, tokens: FEW_TOKENS },
    ...own,
    latents: ({ width, height }: ImageSize) => [1, own.channels, height / scaleFactor, width / scaleFactor],
    inputs: (call) => ({
      sample: stack(call.latents),
      timestep: timestepsOf(call),
      encoder_hidden_states: stack(call.conditioning.flatMap((c) => c.streams["text"] ?? [])),
      ...inputs?.(call),
      ...(embedsGuidance && { guidance: filled(call.latents.length, call.guidance) }),
    }),
  };
}

/** Pooled text of all samples, [B, P]. */
export const pooledOf = ({ conditioning }: DenoiserCall): FloatTensor =>
  stack(conditioning.flatMap((c) => c.pooled ?? []));

/** Mask [1, L] of one sample's text: 1 for tokens, 0 for padding that is not attended to. */
export function textMask({ streams, masks }: Conditioning): FloatTensor {
  return masks?.["text"] ?? filledRow(streams["text"]?.shape[1] ?? 0);
}

const filled = (n: number, value: number) => float([n], new Float32Array(n).fill(value));
const filledRow = (n: number) => float([1, n], new Float32Array(n).fill(1));
