import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { layersOf } from "../../src/adapters/index.js";
import { openComponentWeights } from "../../src/checkpoint/node/index.js";
import { parseUNetConfig, unetDenoiser } from "../../src/models/index.js";
import { network } from "../../src/networks/index.js";
import { adamw } from "../../src/optim/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { type FloatTensor, sample } from "../../src/tensor/index.js";
import { chooseLayers, LAYER_CHOICES, LORA_TYPES, openLoss, sliderTarget } from "../../src/train/index.js";
import { componentFolder, componentGolden, stemOf } from "../support/checkpoint.js";
import { description, namesIn, tensors } from "../support/parity.js";
import { beginning, expectMatrices, matricesOf, noise, sorted, text } from "../support/trained.js";

const schema = z.object({
  component: z.string(),
  layers: z.enum(LAYER_CHOICES),
  type: z.enum(LORA_TYPES),
  rank: z.number(),
  alpha: z.number(),
  strength: z.number(),
  latents: z.array(z.number()),
  tokens: z.number(),
  times: z.array(z.number()),
  rate: z.number(),
  losses: z.array(z.number()),
  matrices: z.array(z.tuple([z.string(), z.array(z.number()), z.array(z.number())])),
});
const runtime = openRuntime({ threads: 1 });
afterAll(() => runtime.close());

describe.each(namesIn("sliders"))("updates of the slider %s equal PyTorch's", { timeout: 240_000 }, (name) => {
  it("in loss and in every matrix", async () => {
    const golden = description(`sliders/${name}`, schema);
    const recorded = await tensors(`sliders/${name}`);
    const component = componentGolden(golden.component);
    const index = await openComponentWeights(componentFolder(golden.component), stemOf(component));
    const config = parseUNetConfig({ file: "config.json", config: component.config });
    const denoiser = unetDenoiser(config, 8);
    const layers = sorted(layersOf([...index.weights].map(([key, w]) => [key, w.shape] as const)));
    const lora = chooseLayers(layers, golden);
    expect(matricesOf(lora)).toEqual(golden.matrices);

    const [batch = 1, , height = 1, width = 1] = golden.latents;
    const shape = { height, width, tokens: golden.tokens };
    const size = { height: 8 * height, width: 8 * width };
    const plain = network(
      "unet",
      runtime,
      (s: typeof shape, weights) => denoiser.draw(s, weights),
      async () => index,
    );
    const model = { denoiser, weights: async () => index };
    const loss = await openLoss({ engine: { runtime, upcast: "at-load" } }, model, lora);
    const optimizer = adamw({ learningRate: golden.rate });
    let parameters = beginning(lora);
    let state = optimizer.init(parameters);
    const prompts = [1, 2, 3].map((seed) => text(config, golden.tokens, seed));
    const [neutral] = prompts;
    if (!neutral) throw new Error("no prompt");
    for (const [update, timestep] of golden.times.entries()) {
      const all = noise(golden.latents, 1000 + update);
      const latents = Array.from({ length: batch }, (_, i) => sample(all, i));
      const scale = update % 2 === 0 ? 1 : -1;
      const targets: FloatTensor[] = [];
      for (const xt of latents) {
        const call = { latents: prompts.map(() => xt), timestep, conditioning: prompts, guidance: 0, size };
        const { outputs } = await plain.run(shape, denoiser.inputs(call));
        const { prediction } = outputs;
        if (prediction?.dtype !== "float32") throw new Error("no prediction");
        targets.push(
          sliderTarget(
            prompts.map((_, i) => sample(prediction, i)),
            scale * golden.strength,
          ),
        );
      }
      const found = await loss.run(
        { latents, timestep, conditioning: latents.map(() => neutral), guidance: 0, size, targets, scale },
        parameters,
      );
      expect(found.loss / (golden.losses[update] ?? 0)).toBeCloseTo(1, 4);
      ({ parameters, state } = optimizer.update(parameters, found.gradients, state));
    }
    expectMatrices(lora, parameters, recorded, { within: 2e-4, most: 96 });
    await loss.release();
    await plain.release();
  });
});
