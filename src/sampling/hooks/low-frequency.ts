/** Initial noise with more of its low frequencies, which decide layout and colours. */
import { z } from "zod";
import { type FloatTensor, float } from "../../tensor/index.js";
import { combine } from "../linear.js";
import { cosines, radial } from "./cosine-transform.js";
import { amount, type Method, methodSchema } from "./method.js";

export const lowFrequencySchema = methodSchema("low-frequency", {
  strength: amount(0.5, 0, 10, "gain of the lowest frequency: its amplitude becomes 1 + strength times as large"),
  cutoff: amount(0.1, 0.001, 1, "frequency at which the gain has fallen to 61 %; 1 is the highest in each direction"),
});
type Settings = z.output<typeof lowFrequencySchema>;

export const lowFrequencyHookSchema = z.object({
  kind: z.literal("low-frequency"),
  strength: z.number(),
  cutoff: z.number().positive(),
});
export type LowFrequencyHook = z.output<typeof lowFrequencyHookSchema>;

export const LOW_FREQUENCY: Method<Settings, LowFrequencyHook> = {
  title: "low-frequency noise",
  about: "makes the low frequencies of the initial noise stronger, with the same total variance",
  acts: "noise",
  calls: "none",
  suits: "all",
  source: "own form; noise is Gaussian with the power spectrum stated in docs/methods.md",
  needs: [],
  excludes: [],
  off: { method: "low-frequency", strength: 0, cutoff: 0.1 },
  at: ({ strength, cutoff }, { step }) =>
    step > 0 || strength === 0 ? null : { hook: { kind: "low-frequency", strength, cutoff } },
};

/**
 * Noise z with the coefficients of its orthonormal cosine transform multiplied by g(f) = 1 + strength · exp(−f² / (2 cutoff²)),
 * divided by the root mean square of g, so that the mean variance stays 1. f = √((u / h)² + (v / w)²). z [1, C, h, w] → [1, C, h, w].
 */
export function lowFrequency({ strength, cutoff }: LowFrequencyHook, z: FloatTensor): FloatTensor {
  const [, , h = 1, w = 1] = z.shape;
  const gain = radial(h, w, (f) => 1 + strength * Math.exp(-(f ** 2) / (2 * cutoff ** 2)));
  const norm = Math.sqrt(gain.reduce((sum, g) => sum + g * g, 0) / gain.length);
  const { forward, backward } = cosines(h, w);
  const spectrum = forward(z);
  const shaped = spectrum.data.map((v, i) => (v * (gain[i % gain.length] ?? 1)) / norm);
  return combine([1, backward(float(z.shape, shaped))]);
}
