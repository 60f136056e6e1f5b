/** Custom Diffusion (Kumari et al. 2023, arXiv 2212.04488, section 3.1): the keys and values of cross-attention are trained in full, everything else stays. */
import { type Adapter, isCustomDiffusionLayer } from "../adapters/index.js";
import { RequestError } from "../errors.js";
import type { Model } from "../generate/index.js";
import type { Tensors } from "../optim/index.js";
import { inShapesOf, type TrainedWeights, weightValues } from "./trained.js";

const WEIGHT = ".weight";

/** The weights that are trained, with their first values: those of the model. @throws RequestError for a model without cross-attention of its own */
export async function customDiffusion({
  denoiser,
  weights,
}: Pick<Model, "denoiser" | "weights">): Promise<{ readonly trained: TrainedWeights; readonly first: Tensors }> {
  const index = await weights();
  const names = [...index.weights.keys()].filter(
    (name) => name.endsWith(WEIGHT) && isCustomDiffusionLayer(name.slice(0, -WEIGHT.length)),
  );
  if (names.length === 0)
    throw new RequestError("--custom-diffusion trains cross-attention (attn2), and this model has none; leave it out");
  const trained = { weights: names };
  return { trained, first: await weightValues(trained, denoiser, index) };
}

/** The trained weights as an adapter that replaces those of the model. */
export async function customDiffusionAdapter({ weights }: Pick<Model, "weights">, values: Tensors): Promise<Adapter> {
  const targets = Object.entries(inShapesOf(await weights(), values)).map(([name, weight]) => {
    const layer = name.slice(0, -WEIGHT.length);
    return { part: "unet", layer, delta: { kind: "replacement", weight } } as const;
  });
  return { file: "the trained weights", dialects: [], targets, unmatched: [], untouched: 0 };
}
