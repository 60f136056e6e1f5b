import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { layersOf } from "../../src/adapters/index.js";
import { openComponentWeights } from "../../src/checkpoint/node/index.js";
import { parseUNetConfig, unetDenoiser } from "../../src/models/index.js";
import { adamw, clipped, globalNorm } from "../../src/optim/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { parseScheduler, schedule } from "../../src/sampling/index.js";
import { type FloatTensor, float, sample } from "../../src/tensor/index.js";
import { chooseLayers, noisySample, openLoss } from "../../src/train/index.js";
import { componentFolder, componentGolden, stemOf } from "../support/checkpoint.js";
import { description, namesIn, tensors } from "../support/parity.js";
import { beginning, expectMatrices, matricesOf, noise, sorted, text } from "../support/trained.js";

const numbers = z.array(z.number());
const schema = z.object({
  component: z.string(),
  prediction: z.enum(["epsilon", "v_prediction"]),
  rank: z.number(),
  alpha: z.number(),
  gamma: z.number().nullable(),
  offset: z.number(),
  prior: z.number().nullable(),
  schedule: z.record(z.string(), z.unknown()),
  latents: numbers,
  tokens: z.number(),
  rate: z.number(),
  norm: z.number(),
  times: z.array(numbers),
  losses: numbers,
  norms: numbers,
  matrices: z.array(z.tuple([z.string(), numbers, numbers])),
});
const runtime = openRuntime({ threads: 1 });
afterAll(() => runtime.close());

/** eps + offset · n of each channel. */
function withOffset(eps: FloatTensor, offset: number, seed: number): FloatTensor {
  const [batch = 1, channels = 1, height = 1, width = 1] = eps.shape;
  const { data } = noise([batch, channels, 1, 1], seed);
  return float(
    eps.shape,
    eps.data.map((v, i) => v + offset * (data[Math.floor(i / (height * width))] ?? 0)),
  );
}

describe.each(namesIn("loras"))(
  "20 updates of the LoRA %s equal those of PEFT and diffusers",
  { timeout: 240_000 },
  (name) => {
    it("in loss, gradient norm and matrices", async () => {
      const golden = description(`loras/${name}`, schema);
      const recorded = await tensors(`loras/${name}`);
      const component = componentGolden(golden.component);
      const index = await openComponentWeights(componentFolder(golden.component), stemOf(component));
      const config = parseUNetConfig({ file: "config.json", config: component.config });
      const layers = sorted(layersOf([...index.weights].map(([key, w]) => [key, w.shape] as const)));
      const lora = chooseLayers(layers, { ...golden, layers: "full", type: "lierla" });
      expect(matricesOf(lora)).toEqual(golden.matrices);

      const model = { denoiser: unetDenoiser(config, 8), weights: async () => index };
      const loss = await openLoss({ engine: { runtime, upcast: "at-load" } }, model, lora);
      const ddpm = { _class_name: "DDPMScheduler", ...golden.schedule };
      const { levelAt } = schedule(parseScheduler(ddpm, "scheduler_config.json"), { steps: 1 });
      const { prediction, gamma, prior } = golden;
      const conditioning = [1, 2].map((seed) => text(config, golden.tokens, seed));
      const [, , height = 1, width = 1] = golden.latents;
      const size = { height: 8 * height, width: 8 * width };
      const optimizer = clipped(golden.norm, adamw({ learningRate: golden.rate }));
      let parameters = beginning(lora);
      let state = optimizer.init(parameters);
      for (const [update, times] of golden.times.entries()) {
        const x0 = noise(golden.latents, 1000 + update);
        const plain = noise(golden.latents, 2000 + update);
        const eps = golden.offset ? withOffset(plain, golden.offset, 3000 + update) : plain;
        const made = times.map((t, i) => {
          const weighting = gamma === null || (prior !== null && i === 1) ? "none" : "min-snr";
          const options = { level: levelAt(t), prediction, weighting, gamma: gamma ?? 0 } as const;
          return noisySample(sample(x0, i), sample(eps, i), options);
        });
        const found = await loss.run(
          {
            latents: made.map((m) => m.xt),
            timestep: times,
            conditioning,
            guidance: 0,
            size,
            targets: made.map((m) => m.target),
            // The mean of each half, not of both.
            weights: made.map((m, i) => (prior === null ? m.weight : 2 * (i === 0 ? m.weight : prior))),
            scale: 1,
          },
          parameters,
        );
        expect(found.loss / (golden.losses[update] ?? 0), `loss of update ${update + 1}`).toBeCloseTo(1, 3);
        expect(globalNorm(found.gradients) / (golden.norms[update] ?? 0), `norm of ${update + 1}`).toBeCloseTo(1, 2);
        ({ parameters, state } = optimizer.update(parameters, found.gradients, state));
      }
      expectMatrices(lora, parameters, recorded, { within: 1e-3, most: 48 });
      await loss.release();
    });
  },
);
