/** Initial noise chosen from several draws for each sample: the draw whose low frequencies are farthest from those of the samples before it. */
import { z } from "zod";
import { type FloatTensor, float } from "../../tensor/index.js";
import { cosines, radial } from "./cosine-transform.js";
import { amount, type Method, methodSchema, whole } from "./method.js";

export const farthestSchema = methodSchema("farthest", {
  candidates: whole(16, 1, 256, "draws of noise to choose from, the seed's own among them"),
  cutoff: amount(0.15, 0.001, 1.5, "frequency up to which draws are compared; 1 is the highest in each direction"),
});
type Settings = z.output<typeof farthestSchema>;

export const farthestHookSchema = z.object({
  kind: z.literal("farthest"),
  candidates: z.int().min(1),
  cutoff: z.number(),
});
export type FarthestHook = z.output<typeof farthestHookSchema>;

export const FARTHEST: Method<Settings, FarthestHook> = {
  title: "farthest noise",
  about: "draws noise several times for each seed and keeps the draw that differs most in its low frequencies",
  acts: "noise",
  calls: "none",
  suits: "all",
  source: "own form: farthest-point selection, Gonzalez 1985",
  needs: ["group"],
  excludes: [],
  off: { method: "farthest", candidates: 1, cutoff: 0.15 },
  at: ({ candidates, cutoff }, { step }) =>
    step > 0 || candidates === 1 ? null : { hook: { kind: "farthest", candidates, cutoff } },
};

/**
 * Chooses a draw for each sample in turn: the one whose least distance to those chosen before it is largest, in the coefficients of the
 * cosine transform up to the cutoff. The first sample keeps its own. draws[i]: those of sample i, its own first, each [1, C, h, w].
 */
export function farthest({ cutoff }: FarthestHook, draws: readonly (readonly FloatTensor[])[]): FloatTensor[] {
  const [, , h = 1, w = 1] = draws[0]?.[0]?.shape ?? [];
  const low = radial(h, w, (f) => (f <= cutoff ? 1 : 0));
  const { forward } = cosines(h, w);
  const features = ({ shape, data }: FloatTensor): Float32Array =>
    forward(float(shape, data)).data.filter((_, i) => low[i % low.length] === 1);
  const taken: Float32Array[] = [];
  return draws.flatMap((own) => {
    const known = own.map((z) => ({ z, low: features(z) }));
    const apart = ({ low: a }: (typeof known)[number]) => Math.min(...taken.map((b) => squaredDistance(a, b)));
    const best = taken.length === 0 ? known[0] : known.reduce((a, b) => (apart(b) > apart(a) ? b : a));
    if (!best) return [];
    taken.push(best.low);
    return best.z;
  });
}

const squaredDistance = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, v, i) => sum + (v - (b[i] ?? 0)) ** 2, 0);
