/** Initial noise that is optimised so that the first predictions of x0 differ: the loss, its gradient, and a step of the noise. */
import { z } from "zod";
import { type FloatTensor, float } from "../../tensor/index.js";
import { amount, type Method, methodSchema, whole } from "./method.js";

export const contrastiveNoiseSchema = methodSchema("contrastive-noise", {
  iterations: whole(4, 0, 100, "steps of the optimisation"),
  rate: amount(0.1, 0, 1, "length of a step, as a share of the length of the noise"),
  temperature: amount(1, 0.001, 10, "temperature of the softmax over the samples"),
});
type Settings = z.output<typeof contrastiveNoiseSchema>;

export const contrastiveNoiseHookSchema = z.object({
  kind: z.literal("contrastive-noise"),
  iterations: z.int().min(1),
  rate: z.number(),
  temperature: z.number(),
});
export type ContrastiveNoiseHook = z.output<typeof contrastiveNoiseHookSchema>;

export const CONTRASTIVE_NOISE: Method<Settings, ContrastiveNoiseHook> = {
  title: "contrastive noise",
  about: "optimises the noise of all seeds so that the first predictions differ, and each stays near its own",
  acts: "noise",
  calls: "two for each iteration, one of them a gradient, which takes about three times as long",
  suits: "all that fit the memory twice; the first step decides",
  source: "Kim et al. 2025, arXiv 2510.03813",
  needs: ["group"],
  excludes: ["apg"],
  off: { method: "contrastive-noise", iterations: 0, rate: 0.1, temperature: 1 },
  at: ({ iterations, rate, temperature }, { step }) =>
    step > 0 || iterations === 0 || rate === 0
      ? null
      : { hook: { kind: "contrastive-noise", iterations, rate, temperature } },
};

/**
 * InfoNCE over the predicted x0 of a prompt's samples, and its gradient towards each (van den Oord et al. 2018, arXiv 1807.03748, eq. 4, with
 * the sample's own first prediction as the positive):
 *
 *     L = −1/n Σ_i log( e^(c(x_i, a_i)/τ) / (e^(c(x_i, a_i)/τ) + Σ_(j≠i) e^(c(x_i, x_j)/τ)) ), c the cosine
 *
 * @param x0 predictions, n × [1, C, h, w]
 * @param anchors predictions of the noise before it was changed, n × [1, C, h, w]; constant
 */
export function contrastiveLoss(
  { temperature }: Pick<ContrastiveNoiseHook, "temperature">,
  x0: readonly FloatTensor[],
  anchors: readonly FloatTensor[],
): { readonly loss: number; readonly gradients: readonly FloatTensor[] } {
  const units = x0.map(unit);
  const fixed = anchors.map(unit);
  const n = x0.length;
  const gradients = units.map(({ values }) => new Float64Array(values.length));
  let loss = 0;
  /** Adds w ∂c(x_i, y)/∂x_i. */
  const pull = (i: number, weight: number, cosine: number, y: Unit): void => {
    const own = units[i];
    const into = gradients[i];
    if (!own || !into) return;
    const scale = weight / own.length;
    for (const [k, v] of own.values.entries()) into[k] = (into[k] ?? 0) + scale * ((y.values[k] ?? 0) - cosine * v);
  };
  for (const [i, own] of units.entries()) {
    const others = units.map((each, j) => (j === i ? fixed[i] : each));
    const cosines = others.map((each) => (each ? dot(own.values, each.values) : 0));
    const most = Math.max(...cosines);
    const weights = cosines.map((c) => Math.exp((c - most) / temperature));
    const total = weights.reduce((a, b) => a + b, 0);
    const shares = weights.map((w) => w / total);
    loss -= Math.log(shares[i] ?? Number.NaN) / n;
    for (const [j, each] of others.entries()) {
      const cosine = cosines[j] ?? 0;
      const weight = ((shares[j] ?? 0) - (j === i ? 1 : 0)) / (temperature * n);
      if (each) pull(i, weight, cosine, each);
      if (j !== i) pull(j, weight, cosine, own);
    }
  }
  return {
    loss,
    gradients: gradients.map((each, i) => float(x0[i]?.shape ?? [each.length], Float32Array.from(each))),
  };
}

/** Noise z after a step of a share `rate` of its length against a gradient, back at its length, where noise lies: [1, C, h, w] → the same. */
export function noiseStep({ rate }: Pick<ContrastiveNoiseHook, "rate">, z: FloatTensor, gradient: FloatTensor) {
  const [size, steep] = [lengthOf(z.data), lengthOf(gradient.data)];
  if (steep === 0 || size === 0) return z;
  const moved = z.data.map((v, i) => v - ((rate * size) / steep) * (gradient.data[i] ?? 0));
  const factor = size / lengthOf(moved);
  return float(
    z.shape,
    moved.map((v) => v * factor),
  );
}

interface Unit {
  readonly length: number;
  /** Of length 1. */
  readonly values: Float64Array;
}

function unit({ data }: FloatTensor): Unit {
  const length = Math.max(lengthOf(data), Number.MIN_VALUE);
  return { length, values: Float64Array.from(data, (v) => v / length) };
}

const lengthOf = (v: Float32Array): number => Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, i) => sum + v * (b[i] ?? 0), 0);
