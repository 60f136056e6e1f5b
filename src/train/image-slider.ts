/**
 * The objective of visual sliders (Gandikota et al. 2024, arXiv 2311.12092, section 4.2): at scale 1 the model denoises one image of a pair, at −1
 * the other, from the same noise.
 */
import { RequestError } from "../errors.js";
import type { Pair } from "../generate/index.js";
import { denoising } from "./denoising.js";
import type { Example } from "./examples.js";
import type { Objective } from "./objective.js";
import type { SliderRequest } from "./slider-rows.js";

/** Both images of each pair, in one order. */
export interface ImagePairs {
  readonly positive: readonly Example[];
  readonly negative: readonly Example[];
}

/** Prepares the objective. Positive and negative images take turns, each pair with one draw of noise and timestep. @throws RequestError for pairs of two shapes */
export function imageSlider(pair: Pair, { positive, negative }: ImagePairs, o: SliderRequest): Objective {
  const { on, batch, seed } = o;
  const request = { ...(on && { on }), ...(batch && { batch }), ...(seed !== undefined && { seed }) };
  const differ = positive.findIndex(({ size }, i) => {
    const other = negative[i]?.size;
    return other?.width !== size.width || other.height !== size.height;
  });
  if (differ >= 0) throw new RequestError(`the images of pair ${differ + 1} have two shapes; expected one`);
  const sides = [positive, negative].map((examples) => denoising(pair, { examples, priors: [] }, request));
  const [first, second] = sides;
  if (!first || !second) throw new RangeError("a pair has two sides");
  return {
    model: first.model,
    async batch(update, ...rest) {
      const scale = update % 2 === 0 ? 1 : -1;
      return { ...(await (scale > 0 ? first : second).batch(Math.floor(update / 2), ...rest)), scale };
    },
  };
}
