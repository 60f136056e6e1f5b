import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { layersOf } from "../../src/adapters/index.js";
import { openComponentWeights } from "../../src/checkpoint/node/index.js";
import { denoiserOf } from "../../src/models/index.js";
import { adamw, clipped, globalNorm } from "../../src/optim/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { sample } from "../../src/tensor/index.js";
import { chooseLayers, LAYER_CHOICES, LORA_TYPES, noisySample, openLoss } from "../../src/train/index.js";
import { componentFolder, componentGolden, stemOf } from "../support/checkpoint.js";
import { description, namesIn, tensors } from "../support/parity.js";
import { beginning, changeApart, flowText, matricesOf, noise, sorted } from "../support/trained.js";

const numbers = z.array(z.number());
const schema = z.object({
  component: z.string(),
  layers: z.enum(LAYER_CHOICES),
  type: z.enum(LORA_TYPES),
  tokens: numbers,
  visible: numbers.nullable(),
  weighting: z.enum(["none", "cosmap"]),
  guidance: z.number().nullable(),
  prior: z.number().nullable(),
  rank: z.number(),
  alpha: z.number(),
  latents: numbers,
  rate: z.number(),
  norm: z.number(),
  sigmas: z.array(numbers),
  losses: numbers,
  norms: numbers,
  matrices: z.array(z.tuple([z.string(), numbers, numbers])),
});
const runtime = openRuntime({ threads: 1 });
afterAll(() => runtime.close());

describe.each(namesIn("flow-loras"))(
  "ten updates of a LoRA on %s equal those of PEFT and diffusers",
  { timeout: 120_000 },
  (name) => {
    it("in layers, loss, gradient norm and change of the matrices", async () => {
      const golden = description(`flow-loras/${name}`, schema);
      const recorded = await tensors(`flow-loras/${name}`);
      const component = componentGolden(golden.component);
      const index = await openComponentWeights(componentFolder(golden.component), stemOf(component));
      const { config } = component;
      const denoiser = await denoiserOf(component.class, { file: "config.json", config }, 8);
      const lora = chooseLayers(
        sorted(layersOf([...index.weights].map(([key, w]) => [key, w.shape] as const))),
        golden,
      );
      expect(matricesOf(lora)).toEqual(golden.matrices);

      const engine = { runtime, upcast: "at-load" } as const;
      const loss = await openLoss({ engine }, { denoiser, weights: async () => index }, lora);
      const optimizer = clipped(golden.norm, adamw({ learningRate: golden.rate }));
      const first = beginning(lora);
      let [parameters, state] = [first, optimizer.init(first)];
      const conditioning = [0, 1].map((i) => flowText(golden, i, component, denoiser));
      const [, , height = 1, width = 1] = golden.latents;
      for (const [update, sigmas] of golden.sigmas.entries()) {
        const [x0, eps] = [noise(golden.latents, 1000 + update), noise(golden.latents, 2000 + update)];
        const { prior, weighting } = golden;
        const made = sigmas.map((sigma, i) => {
          const level = { t: 1000 * sigma, alpha: 1 - sigma, sigma };
          return noisySample(sample(x0, i), sample(eps, i), { level, prediction: "flow_prediction", weighting });
        });
        const found = await loss.run(
          {
            latents: made.map((m) => m.xt),
            timestep: sigmas.map((sigma) => 1000 * sigma),
            conditioning,
            guidance: golden.guidance ?? 0,
            size: { height: 8 * height, width: 8 * width },
            targets: made.map((m) => m.target),
            // The mean of each half, not of both.
            weights: made.map((m, i) => (prior === null ? m.weight : 2 * (i === 0 ? m.weight : prior))),
            scale: 1,
          },
          parameters,
        );
        const [ours, theirs] = [found.loss, golden.losses[update] ?? Number.NaN];
        expect(Math.abs(ours / theirs - 1), `loss of update ${update + 1}`).toBeLessThan(5e-5);
        expect(globalNorm(found.gradients) / (golden.norms[update] ?? 0), `norm of ${update + 1}`).toBeCloseTo(1, 2);
        ({ parameters, state } = optimizer.update(parameters, found.gradients, state));
      }
      expect(changeApart(lora, first, parameters, recorded)).toBeLessThan(1e-3);
      await loss.release();
    });
  },
);
