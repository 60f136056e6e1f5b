/** DreamSim as an instrument: an ensemble of vision transformers fine-tuned on human judgements of similarity (Fu et al. 2023). */
import { type DreamSimBranch, drawDreamSim } from "../models/index.js";
import { floats, NO_WEIGHTS, network, type Precision } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { fromRgb, resizeBicubic, stack } from "../tensor/index.js";
import { type HashedFiles, type Instrument, inBatches, rows } from "./instrument.js";

/** Creates a DreamSim instrument with cosine distance. @throws WeightMissingError, WeightShapeError when the weights belong to another network */
export function createDreamSim(
  branches: readonly DreamSimBranch[],
  hashes: HashedFiles,
  runtime: Runtime,
  precision?: Precision,
): Instrument {
  drawDreamSim(branches);
  const towers = network("dreamsim", runtime, (_: "dreamsim") => drawDreamSim(branches), NO_WEIGHTS, {
    ...(precision && { precision }),
  });
  return {
    facts: {
      name: "dreamsim",
      network: `DreamSim (${branches.map((b) => b.kind).join(" + ")})`,
      weights: hashes,
      preparation: "224 × 224 without keeping the aspect ratio (Pillow bicubic), 0…1, mean and std of each tower",
    },
    distance: "cosine",
    features: (images) =>
      inBatches(
        images,
        async (some) => {
          const pixels = some.map((i) => fromRgb(resizeBicubic(i, 224, 224), [0, 0, 0], [1, 1, 1]));
          return rows(floats((await towers.run("dreamsim", { image: stack(pixels) })).outputs["features"]));
        },
        8,
      ),
  };
}
