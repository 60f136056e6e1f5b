import { describe, expect, it } from "vitest";
import { z } from "zod";
import { layersOf } from "../../src/adapters/index.js";
import { openPair } from "../../src/open/index.js";
import { adamw } from "../../src/optim/index.js";
import {
  chooseLayers,
  LAYER_CHOICES,
  LORA_TYPES,
  openLoss,
  openOfficialSlider,
  type SliderRow,
} from "../../src/train/index.js";
import { pairReference } from "../support/checkpoint.js";
import { description, namesIn, tensors } from "../support/parity.js";
import { beginning, expectMatrices, matricesOf, sorted } from "../support/trained.js";

const numbers = z.array(z.number());
const schema = z.object({
  checkpoint: z.string(),
  layers: z.enum(LAYER_CHOICES),
  type: z.enum(LORA_TYPES),
  rank: z.number(),
  alpha: z.number(),
  rows: z.array(
    z.object({
      target: z.string(),
      positive: z.string(),
      unconditional: z.string(),
      neutral: z.string(),
      action: z.enum(["enhance", "erase"]),
      guidance_scale: z.number(),
      resolution: z.number(),
    }),
  ),
  steps: z.number(),
  seed: z.number(),
  rate: z.number(),
  losses: numbers,
  chosen: z.array(z.tuple([z.number(), z.number(), z.number()])),
  matrices: z.array(z.tuple([z.string(), numbers, numbers])),
});

describe.each(namesIn("official-sliders"))(
  "20 updates of the official trainer's slider %s",
  { timeout: 480_000 },
  (name) => {
    it("equal PyTorch's in loss, timestep and matrices", async () => {
      const golden = description(`official-sliders/${name}`, schema);
      const recorded = await tensors(`official-sliders/${name}`);
      const pair = await openPair(pairReference({ base: golden.checkpoint }), { threads: 1 });
      try {
        const { weights } = await pair.base.weights();
        const lora = chooseLayers(sorted(layersOf([...weights].map(([key, w]) => [key, w.shape] as const))), golden);
        expect(matricesOf(lora)).toEqual(golden.matrices);
        const rows = golden.rows.map(({ unconditional: negative, guidance_scale: strength, ...row }): SliderRow => {
          return { ...row, negative, strength, batch: 1 };
        });
        const objective = await openOfficialSlider(pair, rows, { seed: golden.seed }, golden.steps);
        const loss = await openLoss(pair, objective.model, lora);
        const optimizer = adamw({ learningRate: golden.rate });
        let parameters = beginning(lora);
        let state = optimizer.init(parameters);
        for (const [update, expected] of golden.losses.entries()) {
          const batch = await objective.batch(update, lora, parameters);
          expect(batch.timestep).toBe(golden.chosen[update]?.[2]);
          expect(batch.scale).toBe(1);
          const found = await loss.run(batch, parameters);
          expect(found.loss / expected, `loss of update ${update + 1}`).toBeCloseTo(1, 2);
          ({ parameters, state } = optimizer.update(parameters, found.gradients, state));
        }
        expectMatrices(lora, parameters, recorded, { within: 2e-3, most: 32 });
        await loss.release();
      } finally {
        await pair.close();
      }
    });
  },
);
