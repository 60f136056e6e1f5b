/** Predictions of the unchanged base, with classifier-free guidance, as what a distilled model learns from. */
import { factsOf } from "../families/index.js";
import type { Model, Pair } from "../generate/index.js";
import { type Conditioning, type ImageSize, zeroConditioning } from "../models/index.js";
import { floats } from "../networks/index.js";
import { guide, type NoiseLevel, type Prediction, predict, tokenNormed } from "../sampling/index.js";
import { type FloatTensor, sample } from "../tensor/index.js";

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

/** The base with guidance against no prompt, as the pair's pipeline has it. At 1 or less each prediction is one conditional call. */
export async function openTeacher(
  { family, base, text, zeroNegative }: TeachingPair,
  guidance: number,
): Promise<Teacher> {
  const { denoiser, network } = base;
  const twice = guidance > 1;
  const { guidanceTokens: side } = factsOf(family);
  const encode = text.encodeNegative ?? text.encode;
  const negative = twice && !zeroNegative ? await encode(text.unconditional, 0) : null;
  const both = <T>(first: readonly T[], second: readonly T[]) => (twice ? [...first, ...second] : first);
  return (size) => {
    const [, , height, width] = denoiser.latents(size);
    return async ({ latents, at, conditioning }) => {
      const without = conditioning.map((c) => negative ?? zeroConditioning(c));
      const timestep = at.map((a) => a.timestep);
      const feeds = denoiser.inputs({
        latents: both(latents, latents),
        timestep: both(timestep, timestep),
        conditioning: both(conditioning, without),
        guidance,
        size,
      });
      const shape = { height, width, tokens: conditioning[0]?.streams["text"]?.shape[1] ?? 0 };
      const outputs = floats((await network.run(shape, feeds)).outputs["prediction"]);
      return latents.map((_, i) => {
        const conditional = sample(outputs, i);
        if (!twice) return conditional;
        const guided = guide(conditional, sample(outputs, latents.length + i), guidance);
        return side === undefined ? guided : tokenNormed(guided, conditional, side);
      });
    };
  };
}
