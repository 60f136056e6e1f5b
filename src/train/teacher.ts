/** Predictions of the unchanged base, with classifier-free guidance, as what a distilled model learns from. */
import { factsOf } from "../families/index.js";
import type { Model, Pair, PlanSource } from "../generate/index.js";
import { type Conditioning, type ImageSize, zeroConditioning } from "../models/index.js";
import { floats } from "../networks/index.js";
import { guide, type NoiseLevel, type Prediction, predict, tokenNormed } from "../sampling/index.js";
import { type FloatTensor, sample } from "../tensor/index.js";
import { byTextLength, textTokens } from "./text-lengths.js";

/** Noisy latents of some samples, B × [1, C, h, w], with their levels and their prompts. */
export interface NoisyBatch {
  readonly latents: readonly FloatTensor[];
  readonly at: readonly TrainedLevel[];
  readonly conditioning: readonly Conditioning[];
}

/** Timestep of a model's input, with its noise level. */
export interface TrainedLevel {
  readonly timestep: number;
  readonly level: NoiseLevel;
}

/** Outputs of a network for a batch, B × [1, C, h, w]. */
export type Predict = (batch: NoisyBatch) => Promise<FloatTensor[]>;

/** x0 and ε of one sample. */
export type Clean = ReturnType<typeof predict>;

/** x0 and ε that a network's outputs stand for. */
export async function cleanOf(network: Predict, prediction: Prediction, batch: NoisyBatch): Promise<Clean[]> {
  const outputs = await network(batch);
  return batch.latents.map((xt, i) => {
    const [at, output] = [batch.at[i], outputs[i]];
    if (!at || !output) throw new RangeError("a network gave fewer outputs than samples");
    return predict(prediction, at.level, xt, output);
  });
}

/** What a teacher needs of a pair. */
export interface TeachingPair extends Pick<Pair, "family"> {
  readonly base: Pick<Model, "denoiser" | "network">;
  readonly text: Pick<Pair["text"], "encode" | "encodeNegative" | "unconditional">;
  readonly zeroNegative: boolean;
}

/** Outputs of the base with guidance, for images of a size. */
export type Teacher = (size: ImageSize) => Predict;

/** Guidance of the base that is distilled, as its pipeline counts it: as asked for, else that of the pair's row, else of its family. */
export const teacherGuidance = (
  { row, family }: Pick<PlanSource, "row" | "family">,
  { guidance }: { readonly guidance?: number },
): number => guidance ?? row?.sampling.base.guidance ?? factsOf(family).sampling.guidance;

/**
 * The base with guidance against no prompt, as the pair's pipeline has it. Without guidance, and where the scale is an input of the network, each
 * prediction is one conditional call. Texts of several lengths have calls of their own.
 * @param guidance as the pipeline counts it
 */
export async function openTeacher(
  { family, base, text, zeroNegative }: TeachingPair,
  guidance: number,
): Promise<Teacher> {
  const { denoiser, network } = base;
  const { guidanceTokens: side, guidanceOffset = 0 } = factsOf(family);
  const scale = guidance + guidanceOffset;
  const twice = scale > 1 && !denoiser.embedsGuidance;
  const encode = text.encodeNegative ?? text.encode;
  const negative =
    twice && !zeroNegative ? await encode(text.unconditional, 0, undefined, undefined, denoiser.textTokens) : null;
  const both = <T>(first: readonly T[], second: readonly T[]) => (twice ? [...first, ...second] : first);
  return (size) => {
    const [, , height, width] = denoiser.latents(size);
    return async ({ latents, at, conditioning }) => {
      const without = conditioning.map((c) => negative ?? zeroConditioning(c));
      const timestep = at.map((a) => a.timestep);
      const call = {
        latents: both(latents, latents),
        timestep: both(timestep, timestep),
        conditioning: both(conditioning, without),
      };
      const outputs: FloatTensor[] = [];
      for (const group of byTextLength(call.conditioning)) {
        const of = <T>(all: readonly T[]): T[] => group.flatMap((i) => all.slice(i, i + 1));
        const own = of(call.conditioning);
        const feeds = denoiser.inputs({
          ...{ latents: of(call.latents), timestep: of(call.timestep), conditioning: own },
          ...{ guidance, size },
        });
        const shape = { height, width, tokens: own[0] ? textTokens(own[0]) : 0 };
        const all = floats((await network.run(shape, feeds)).outputs["prediction"]);
        for (const [place, i] of group.entries()) outputs[i] = sample(all, place);
      }
      return latents.map((_, i) => {
        const [conditional, other] = [outputs[i], outputs[latents.length + i]];
        if (!conditional) throw new RangeError("the base gave fewer predictions than samples");
        if (!other) return conditional;
        const guided = guide(conditional, other, scale);
        return side === undefined ? guided : tokenNormed(guided, conditional, side);
      });
    };
  };
}
