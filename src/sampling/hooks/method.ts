/** The form of a diversity method: its facts, its settings, and what it changes at a step of a plan. Knows no single method. */
import { z } from "zod";
import type { Rng } from "../../tensor/index.js";
import type { NoiseLevel } from "../level.js";

/**
 * The part of a step that a method changes: the conditioning of the network, the guided prediction, x0 of all samples of a
 * prompt, the initial noise, or numbers of the plan's rows.
 */
export const ACTS = ["conditioning", "guidance", "x0", "noise", "plan"] as const;
export type Acts = (typeof ACTS)[number];

/** What a method needs beside a model: several samples of a prompt, classifier-free guidance, or a distilled model that is a LoRA. */
export type Need = "group" | "guidance" | "lora";

/** A step of a plan, as a method sees it. */
export interface Place {
  /** Index of the step's row among the rows that call a network, and their number. */
  readonly step: number;
  readonly steps: number;
  /** Index among the rows of the same model. */
  readonly stepOfModel: number;
  readonly level: NoiseLevel;
  readonly guidance: number;
  readonly model: "base" | "distilled";
}

/** What a method changes at a step: a hook to run there, or numbers of the row. */
export interface Change<H> {
  readonly hook?: H;
  readonly guidance?: number;
  readonly loraScale?: number;
}

/** A diversity method. `S` is its part of a request, `H` its hook: data of a row of a plan. */
export interface Method<S, H> {
  readonly title: string;
  /** What it does, in one sentence. */
  readonly about: string;
  readonly acts: Acts;
  /** Cost in model calls. */
  readonly calls: string;
  /** Models that it suits. */
  readonly suits: string;
  /** Publication or program that describes it. */
  readonly source: string;
  readonly needs: readonly Need[];
  /** Methods that decide the same thing, so that a request cannot ask for both. */
  readonly excludes: readonly string[];
  /** Settings under which the method does nothing. */
  readonly off: S;
  /** The change at a step; null where the method does nothing. @throws RequestError for settings that contradict each other */
  at(settings: S, place: Place): Change<H> | null;
}

/** Schema of a method with its settings in a request. */
export const methodSchema = <const N extends string, S extends Readonly<Record<string, z.ZodType>>>(
  name: N,
  settings: S,
) =>
  z.strictObject(
    { method: z.literal(name), ...settings },
    {
      error: ({ code }) =>
        code === "unrecognized_keys" ? `${name} has ${Object.keys(settings).join(", ")}` : undefined,
    },
  );

/** A setting that is a number from `low` to `high`. */
export function amount(value: number, low: number, high: number, about: string) {
  const error = `expected a number from ${low} to ${high}`;
  return z.number({ error }).min(low, error).max(high, error).default(value).describe(about);
}

/** A setting that is an integer from `low` to `high`. */
export function whole(value: number, low: number, high: number, about: string) {
  const error = `expected an integer from ${low} to ${high}`;
  return z.int({ error }).min(low, error).max(high, error).default(value).describe(about);
}

/** A setting that is one of several words. */
export const word = <const C extends readonly [string, ...string[]]>(choices: C, value: C[number], about: string) =>
  z
    .enum(choices, { error: `expected one of ${choices.join(", ")}` })
    .default(value)
    .describe(about);

/** True for the steps in the first `share` of a plan: the first step for any share above 0. */
export const isEarly = ({ step, steps }: Place, share: number): boolean => step / steps < share;

/**
 * Seed of a hook's own random numbers, so that hooks leave those of the plan as they are: a hash of the sample's seed, the
 * hook's name and a number (FNV-1a, then the finaliser of MurmurHash3).
 */
export function streamSeed(seed: number, name: string, number: number): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(`${seed} ${name} ${number}`)) hash = Math.imul(hash ^ byte, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Creates the random numbers of a hook for one sample. `number` tells apart those of several rows or draws. */
export type Stream = (number: number) => Rng;
