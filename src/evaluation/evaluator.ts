/** Reads pictures: their CLIP features against each other and against the prompt, and the true factors where a judge knows them. */

import { type Factors, filesOf } from "../instruments/index.js";
import {
  cosineDistance,
  distancePerPrompt,
  type Estimate,
  entropy,
  meanEstimate,
  pairwiseDistance,
  ratioEstimate,
} from "../metrics/index.js";
import type { JudgeConfig } from "../models/index.js";
import { type OpenedPair, openClip, openJudge } from "../open/index.js";
import type { RgbImage } from "../tensor/index.js";

/** What was read off pictures; outer index: prompt, inner index: picture. */
export interface Reading {
  readonly prompts: readonly string[];
  /** CLIP image features, [P]. */
  readonly features: readonly (readonly Float32Array[])[];
  /** Cosine of picture and prompt, −1…1. */
  readonly similarity: readonly (readonly number[])[];
  /** What the judge sees, what it reads of each factor, and which factors the prompt names. */
  readonly factors: {
    readonly features: readonly (readonly Float32Array[])[];
    readonly read: readonly (readonly Factors[])[];
    /** Numbers that the judge reads beside the factors. */
    readonly measured: readonly (readonly Readonly<Record<string, number>>[])[];
    readonly named: readonly Factors[];
    readonly all: readonly string[];
  } | null;
}

export interface Scorer {
  /** The files of everything that looks. */
  files(): Promise<string[]>;
  /** The factors whose value a prompt names; null without a judge. */
  readonly named: ((prompt: string) => Factors) | null;
  read(images: readonly (readonly RgbImage[])[], prompts: readonly string[]): Promise<Reading>;
  /** CLIP features of pictures, [P] each. */
  features(images: readonly RgbImage[]): Promise<Float32Array[]>;
  /** CLIP features of a text, [P]. */
  textFeatures(text: string): Promise<Float32Array>;
}

export interface Summary {
  /** Mean pairwise cosine distance of CLIP features between the pictures of a prompt. */
  readonly distance: Estimate;
  /** Mean cosine of picture and prompt in CLIP. */
  readonly adherence: Estimate;
  /** The same distance in the judge's features; share of named factors read right (null when no prompt names one); and summed entropy of the factors a prompt leaves free, in nats. */
  readonly factors?: { readonly distance: Estimate; readonly namedRight: Estimate | null; readonly entropy: Estimate };
}

/** The numbers of a table row. */
export function summarise({ features, similarity, factors }: Reading): Summary {
  const numbers = { distance: pairwiseDistance(features), adherence: meanEstimate(similarity) };
  if (!factors) return numbers;
  const { read, named } = factors;
  const hits = read.map((pictures, p) =>
    pictures.flatMap((picture) => Object.entries(named[p] ?? {}).map(([f, value]) => Number(picture[f] === value))),
  );
  const asked = hits.filter((h) => h.length > 0);
  const free = freeEntropy(factors);
  return {
    ...numbers,
    factors: {
      distance: pairwiseDistance(factors.features),
      namedRight: asked.length === 0 ? null : meanEstimate(asked),
      // Entropy belongs to the pictures of a prompt together: only prompts can be drawn anew.
      entropy: meanEstimate(free.map((h) => [h])),
    },
  };
}

/** How much of one mode's variety another keeps: ratios of the numbers above, prompt by prompt. */
export interface Kept {
  readonly distance: Estimate;
  readonly factors?: { readonly distance: Estimate; readonly entropy: Estimate };
}

/** The variety of `a` as a share of that of `b`, over the same prompts. */
export function keptVariety(a: Reading, b: Reading): Kept {
  const distance = ratioEstimate(distancePerPrompt(a.features), distancePerPrompt(b.features));
  if (!a.factors || !b.factors) return { distance };
  return {
    distance,
    factors: {
      distance: ratioEstimate(distancePerPrompt(a.factors.features), distancePerPrompt(b.factors.features)),
      entropy: ratioEstimate(freeEntropy(a.factors), freeEntropy(b.factors)),
    },
  };
}

/** Entropy of each prompt's free factors, summed, in nats [prompts]. */
const freeEntropy = ({ read, named, all }: NonNullable<Reading["factors"]>): number[] =>
  read.map((pictures, p) =>
    all.filter((f) => !(f in (named[p] ?? {}))).reduce((h, f) => h + entropy(pictures.map((x) => x[f] ?? "")), 0),
  );

/**
 * Opens what measures a pair's pictures: the CLIPModel folder `clip` or the pair's own, and the pair's judge.
 * Gives null when there is no CLIP to measure with.
 */
export async function openScorer(pair: OpenedPair, clip?: string): Promise<Scorer | null> {
  const ref = clip ?? pair.row?.clip ?? null;
  if (ref === null) return null;
  const clipModel = await openClip(ref, pair.engine.runtime, pair.sources);
  const { images: embedImages, text: embedText } = clipModel;
  const judge = pair.row?.judge ? await openJudge(pair.row.judge, pair.engine.runtime, pair.sources) : null;
  return {
    files: async () => [...filesOf(await clipModel.index()), ...(judge ? filesOf(await judge.index()) : [])],
    named: judge && ((prompt) => namedFactors(judge.config, prompt)),
    features: embedImages,
    textFeatures: embedText,
    async read(images, prompts) {
      const features: Float32Array[][] = [];
      const similarity: number[][] = [];
      const read: Factors[][] = [];
      const judged: Float32Array[][] = [];
      const measured: Readonly<Record<string, number>>[][] = [];
      for (const [p, prompt] of prompts.entries()) {
        const pictures = images[p] ?? [];
        const words = await embedText(prompt);
        const seen = await embedImages(pictures);
        features.push(seen);
        similarity.push(seen.map((f) => cosine(f, words)));
        if (!judge) continue;
        const seenByJudge = await judge.read(pictures);
        read.push(seenByJudge.map((s) => s.factors));
        judged.push(seenByJudge.map((s) => s.features));
        measured.push(seenByJudge.map((s) => s.measured));
      }
      const factors = judge && {
        features: judged,
        read,
        measured,
        named: prompts.map((prompt) => namedFactors(judge.config, prompt)),
        all: Object.keys(judge.config.factors),
      };
      return { prompts, features, similarity, factors };
    },
  };
}

/** The factors whose value stands in the prompt, as whole words. */
function namedFactors(config: JudgeConfig, prompt: string): Factors {
  const says = (phrase: string) => new RegExp(`\\b${phrase.replace(/\W/g, "\\$&")}\\b`, "i").test(prompt);
  const found = Object.entries(config.factors).flatMap(([name, values]) => {
    const value = values.find((v) => says(config.words[name]?.[String(v)] ?? String(v)));
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(found);
}

const cosine = (a: Float32Array, b: Float32Array): number => 1 - cosineDistance(a, b);
