/** Noise on the prompt's embeddings in the first steps, as ComfyUI's and InvokeAI's nodes for models with little variety between seeds add it. */
import { z } from "zod";
import { type FloatTensor, float, type Rng } from "../../tensor/index.js";
import { moments } from "../moments.js";
import { amount, isEarly, type Method, methodSchema, word } from "./method.js";

const DISTRIBUTIONS = ["uniform", "normal"] as const;
const UNITS = ["deviation", "absolute"] as const;

export const embeddingNoiseSchema = methodSchema("embedding-noise", {
  strength: amount(1, 0, 1000, "largest value of uniform noise, or deviation of normal noise"),
  unit: word(UNITS, "deviation", "unit of the strength: the deviation of the prompt's embeddings, or 1"),
  distribution: word(DISTRIBUTIONS, "uniform", "distribution of the noise"),
  share: amount(0.5, 0, 1, "share of the values that get noise"),
  until: amount(0.2, 0, 1, "share of the steps that see the noise; at least the first"),
});
type Settings = z.output<typeof embeddingNoiseSchema>;

export const embeddingNoiseHookSchema = z.object({
  kind: z.literal("embedding-noise"),
  strength: z.number(),
  unit: z.enum(UNITS),
  distribution: z.enum(DISTRIBUTIONS),
  share: z.number(),
});
export type EmbeddingNoiseHook = z.output<typeof embeddingNoiseHookSchema>;

export const EMBEDDING_NOISE: Method<Settings, EmbeddingNoiseHook> = {
  title: "noise on the embeddings",
  about: "adds the same noise to the embeddings of the prompt in the first steps",
  acts: "conditioning",
  calls: "none",
  suits: "few-step models with large text encoders; used with Z-Image Turbo, Qwen-Image, FLUX.1",
  source: "SeedVarianceEnhancer and ConditioningNoiseInjection for ComfyUI; InvokeAI, pull request 8753",
  needs: [],
  excludes: [],
  off: {
    method: "embedding-noise",
    strength: 0,
    unit: "deviation",
    distribution: "uniform",
    share: 0.5,
    until: 0.2,
  },
  at({ strength, unit, distribution, share, until }, place) {
    if (strength === 0 || share === 0 || !isEarly(place, until)) return null;
    return { hook: { kind: "embedding-noise", strength, unit, distribution, share } };
  },
};

/** Draws the noise of `embeddingNoise`, and the uniforms of its mask, both [shape]. */
export const drawEmbeddingNoise = ({ distribution }: EmbeddingNoiseHook, shape: readonly number[], rng: Rng) => ({
  noise: distribution === "normal" ? rng.randn(shape) : signed(rng.rand(shape)),
  mask: rng.rand(shape),
});

/** Uniforms in [0, 1) → [−1, 1). */
const signed = ({ shape, data }: FloatTensor): FloatTensor =>
  float(
    shape,
    data.map((u) => 2 * u - 1),
  );

/**
 * y + strength · std(y) · n for a share of the values, chosen at random; without std(y) in the unit "absolute". Uniform noise is
 * from −1 to 1. y, noise, mask [shape] → [shape].
 */
export function embeddingNoise(
  { strength, unit, share }: EmbeddingNoiseHook,
  y: FloatTensor,
  { noise, mask }: { readonly noise: FloatTensor; readonly mask: FloatTensor },
): FloatTensor {
  const scale = unit === "deviation" ? strength * moments(y).deviation : strength;
  const data = y.data.map((v, i) => ((mask.data[i] ?? 1) < share ? v + scale * (noise.data[i] ?? 0) : v));
  return float(y.shape, data);
}
