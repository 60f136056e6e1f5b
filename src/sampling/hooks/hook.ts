/** Hooks of diversity methods as data of a plan's rows, and how those of each part of a step are applied. Pure. */
import { z } from "zod";
import { createRng, type FloatTensor } from "../../tensor/index.js";
import { type AntitheticHook, antithetic, antitheticHookSchema } from "./antithetic.js";
import { type ApgHook, apgHookSchema } from "./apg.js";
import { type CadsHook, cads, cadsHookSchema } from "./cads.js";
import { type ContrastiveNoiseHook, contrastiveNoiseHookSchema } from "./contrastive-noise.js";
import { type DppHook, dpp, dppHookSchema } from "./dpp.js";
import {
  drawEmbeddingNoise,
  type EmbeddingNoiseHook,
  embeddingNoise,
  embeddingNoiseHookSchema,
} from "./embedding-noise.js";
import { type FarthestHook, farthest, farthestHookSchema } from "./farthest.js";
import { type LowFrequencyHook, lowFrequency, lowFrequencyHookSchema } from "./low-frequency.js";
import { type Stream, streamSeed } from "./method.js";
import { featureForces, type ParticlesHook, particles, particlesAlong, particlesHookSchema } from "./particles.js";
import { type RkeHook, rke, rkeHookSchema } from "./rke.js";
import { type SiblingsHook, siblings, siblingsHookSchema } from "./siblings.js";
import { type SpreadHook, spread, spreadHookSchema } from "./spread.js";

/** Hooks that change the embeddings of the prompt. */
export type ConditioningHook = CadsHook | EmbeddingNoiseHook;
/** Hooks that combine the conditional and the unconditional prediction. */
export type GuidanceHook = ApgHook;
/** Hooks that change x0 of all samples of a prompt. */
export type GroupHook = ParticlesHook | DppHook | RkeHook | SiblingsHook;
/** Hooks that change the initial noise of all samples of a prompt. */
export type NoiseHook = LowFrequencyHook | SpreadHook | AntitheticHook | FarthestHook | ContrastiveNoiseHook;

/** A hook of a row. */
export type Hook = ConditioningHook | GuidanceHook | GroupHook | NoiseHook;

export const hookSchema = z.discriminatedUnion("kind", [
  cadsHookSchema,
  embeddingNoiseHookSchema,
  apgHookSchema,
  particlesHookSchema,
  dppHookSchema,
  rkeHookSchema,
  siblingsHookSchema,
  lowFrequencyHookSchema,
  spreadHookSchema,
  antitheticHookSchema,
  farthestHookSchema,
  contrastiveNoiseHookSchema,
]);

/** True for hooks by which the samples of a prompt depend on each other. */
const JOINS: { readonly [K in Hook["kind"]]: boolean } = {
  cads: false,
  "embedding-noise": false,
  apg: false,
  particles: true,
  dpp: true,
  rke: true,
  siblings: true,
  "low-frequency": false,
  spread: true,
  antithetic: true,
  farthest: true,
  "contrastive-noise": true,
};
export const joinsSamples = ({ kind }: Hook): boolean => JOINS[kind];

/** Embeddings of one prompt: hidden states by stream, and pooled text. */
export interface Embeddings {
  readonly streams: Readonly<Record<string, FloatTensor>>;
  readonly pooled?: FloatTensor;
}

/** The random numbers of a hook for a sample: a stream of its own for each number. */
const streamOf =
  (seed: number, { kind }: Hook): Stream =>
  (number) =>
    createRng(streamSeed(seed, kind, number));

/**
 * Embeddings of a sample at a row, changed by its hooks. All streams and the pooled text change; masks do not.
 * @param step index of the row, from which CADS draws new noise
 */
export function conditioned<E extends Embeddings>(
  hooks: readonly Hook[],
  embeddings: E,
  { seed, step }: { readonly seed: number; readonly step: number },
): E {
  let changed = embeddings;
  for (const hook of hooks) {
    if (hook.kind !== "cads" && hook.kind !== "embedding-noise") continue;
    const change = changeOf(hook, streamOf(seed, hook), step);
    const names = Object.keys(changed.streams).sort((a, b) => (a < b ? -1 : 1));
    const streams = names.flatMap((name) => {
      const stream = changed.streams[name];
      return stream ? [[name, change(stream)] as const] : [];
    });
    const { pooled } = changed;
    changed = { ...changed, streams: Object.fromEntries(streams), ...(pooled && { pooled: change(pooled) }) };
  }
  return changed;
}

/** The change that a hook makes to one tensor after another. CADS draws new noise at every step, the noise of embeddings is the same. */
function changeOf(hook: ConditioningHook, stream: Stream, step: number): (y: FloatTensor) => FloatTensor {
  switch (hook.kind) {
    case "cads": {
      const rng = stream(step);
      return (y) => cads(hook, y, rng.randn(y.shape));
    }
    case "embedding-noise": {
      const rng = stream(0);
      return (y) => embeddingNoise(hook, y, drawEmbeddingNoise(hook, y.shape, rng));
    }
  }
}

/** A sample with its initial noise [1, C, h, w]. */
export interface SeedNoise {
  readonly seed: number;
  readonly noise: FloatTensor;
}

/** Initial noise of the samples of a prompt, changed by the hooks of the first row. */
export function initialNoise(hooks: readonly Hook[], group: readonly SeedNoise[]): FloatTensor[] {
  let noises = group.map(({ noise }) => noise);
  for (const hook of hooks) noises = noisesOf(hook, noises, group);
  return noises;
}

function noisesOf(hook: Hook, noises: FloatTensor[], group: readonly SeedNoise[]): FloatTensor[] {
  switch (hook.kind) {
    case "low-frequency":
      return noises.map((z) => lowFrequency(hook, z));
    case "spread":
      return spread(hook, noises);
    case "antithetic":
      return antithetic(hook, noises);
    case "farthest":
      return farthest(
        hook,
        noises.map((own, i) => {
          const rng = streamOf(group[i]?.seed ?? 0, hook)(0);
          return [own, ...Array.from({ length: hook.candidates - 1 }, () => rng.randn(own.shape))];
        }),
      );
    default:
      return noises;
  }
}

/**
 * Pulls forces on image features back to x0. The features are those of the images that x0 [1, C, h, w] decode to, of length 1, [P] each; `forces` tells how each would move;
 * the result is the transposed Jacobian times that, [1, C, h, w].
 */
export type FeaturePull = (
  x0: readonly FloatTensor[],
  forces: (features: readonly FloatTensor[]) => readonly FloatTensor[],
) => Promise<readonly FloatTensor[]>;

/** Predicted x0 of the samples of a prompt, changed by the hooks of a row. n × [1, C, h, w] → the same. @param pull for hooks in image features */
export async function separated(
  hooks: readonly Hook[],
  group: readonly FloatTensor[],
  pull: FeaturePull,
): Promise<readonly FloatTensor[]> {
  let changed: readonly FloatTensor[] = group;
  for (const hook of hooks) {
    changed =
      actsOnFeatures(hook) && changed.length > 1
        ? particlesAlong(hook, changed, await pull(changed, featureForces))
        : separatedBy(hook, changed);
  }
  return changed;
}

/** True for hooks that need the gradients of a decoder and of CLIP. */
export const actsOnFeatures = (hook: Hook): hook is ParticlesHook => hook.kind === "particles" && hook.space === "clip";

function separatedBy(hook: Hook, group: readonly FloatTensor[]): readonly FloatTensor[] {
  switch (hook.kind) {
    case "particles":
      return particles(hook, group);
    case "dpp":
      return dpp(hook, group);
    case "rke":
      return rke(hook, group);
    case "siblings":
      return siblings(hook, group);
    default:
      return group;
  }
}
