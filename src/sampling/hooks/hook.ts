/** Hooks of diversity methods as data of a plan's rows, by the part of a step where they act, and how each is applied. Pure. */
import { z } from "zod";
import { createRng, type FloatTensor } from "../../tensor/index.js";
import { type CadsHook, cads, cadsHookSchema } from "./cads.js";
import {
  drawEmbeddingNoise,
  type EmbeddingNoiseHook,
  embeddingNoise,
  embeddingNoiseHookSchema,
} from "./embedding-noise.js";
import { type Acts, type Stream, streamSeed } from "./method.js";

/** Hooks that change the embeddings of the prompt. */
export type ConditioningHook = CadsHook | EmbeddingNoiseHook;

/** A hook of a row. */
export type Hook = ConditioningHook;

export const hookSchema = z.discriminatedUnion("kind", [cadsHookSchema, embeddingNoiseHookSchema]);

/** The part of a step where each hook acts. */
const HOOK_ACTS: { readonly [K in Hook["kind"]]: Acts } = { cads: "conditioning", "embedding-noise": "conditioning" };

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
 * @param step index of the step, from which CADS draws new noise
 */
export function conditioned<E extends Embeddings>(
  hooks: readonly Hook[],
  embeddings: E,
  { seed, step }: { readonly seed: number; readonly step: number },
): E {
  let changed = embeddings;
  for (const hook of hooks) {
    if (HOOK_ACTS[hook.kind] !== "conditioning") continue;
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
