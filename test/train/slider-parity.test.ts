import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { type LayerShape, layersOf } from "../../src/adapters/index.js";
import { openComponentWeights } from "../../src/checkpoint/node/index.js";
import { parseUNetConfig, unetDenoiser } from "../../src/models/index.js";
import { network } from "../../src/networks/index.js";
import { adamw, type Tensors } from "../../src/optim/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { count, createRng, type FloatTensor, float, sample } from "../../src/tensor/index.js";
import {
  adapterOf,
  chooseLayers,
  LAYER_CHOICES,
  LORA_TYPES,
  openLoss,
  sliderTarget,
  type TrainedLora,
} from "../../src/train/index.js";
import { componentFolder, componentGolden, stemOf } from "../support/checkpoint.js";
import { description, namesIn, tensors } from "../support/parity.js";

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

const noise = (shape: readonly number[], seed: number, by = 1): FloatTensor =>
  float(
    shape,
    createRng(seed)
      .randn(shape)
      .data.map((v) => v * by),
  );

/** Conditioning of a prompt, as parity/sliders.py grows it. */
const text = (config: ReturnType<typeof parseUNetConfig>, tokens: number, seed: number) => ({
  streams: { text: noise([1, tokens, config.contextFeatures], seed, 0.5) },
  ...(config.textTime && {
    pooled: noise([1, config.textTime.features - 6 * config.textTime.sinusoid.features], seed + 50),
  }),
});

/** The down matrices of the golden in the names and layout of the graph; the up matrices are zero. */
function beginning(lora: TrainedLora): Tensors {
  const values: Record<string, FloatTensor> = {};
  for (const [i, { name, weight, rank }] of lora.layers.entries()) {
    const [outputs = 1, ...fan] = weight;
    const down = noise([rank, ...fan], 500 + i, 1 / Math.sqrt(count(fan)));
    if (fan.length === 1) {
      const inputs = fan[0] ?? 1;
      values[`${name}.down_t`] = float(
        [inputs, rank],
        Float32Array.from(
          { length: inputs * rank },
          (_, at) => down.data[(at % rank) * inputs + Math.floor(at / rank)] ?? 0,
        ),
      );
      values[`${name}.up_t`] = float([rank, outputs]);
    } else {
      values[`${name}.down`] = down;
      values[`${name}.up`] = float([outputs, rank, 1, 1]);
    }
  }
  return values;
}

/** Layers in byte order of their names, in which the golden counts seeds. */
const sorted = (layers: ReadonlyMap<string, LayerShape>) => new Map([...layers].sort(([a], [b]) => (a < b ? -1 : 1)));

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
    const shapesOf = ({ name: layer, weight: [outputs = 1, ...fan], rank }: TrainedLora["layers"][number]) => [
      layer,
      [rank, ...fan],
      [outputs, rank, ...fan.slice(1).map(() => 1)],
    ];
    expect(lora.layers.map(shapesOf)).toEqual(golden.matrices);

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
    const loss = await openLoss({ engine: { runtime, upcast: "at-load" } }, model, lora, shape, batch);
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
        { latents, timestep, conditioning: neutral, guidance: 0, size, targets, scale },
        parameters,
      );
      expect(found.loss / (golden.losses[update] ?? 0)).toBeCloseTo(1, 4);
      ({ parameters, state } = optimizer.update(parameters, found.gradients, state));
    }
    for (const { layer, delta } of adapterOf(lora, parameters).targets) {
      if (delta.kind !== "low-rank") throw new Error(`${layer} is no LoRA`);
      expect(delta.alpha).toBe(golden.alpha);
      for (const [key, { data }] of Object.entries({ down: delta.down, up: delta.up })) {
        const expected = recorded.float(`${layer}.${key}`).data;
        const stride = Math.ceil(data.length / 96);
        // Adam's first updates are the sign of the gradient times the rate, 0.01: where a gradient is nearly 0, its sign is rounding.
        const off = [...expected].filter((v, i) => Math.abs(v - (data[i * stride] ?? Number.NaN)) > 2e-4).length;
        expect(off / expected.length, `${layer}.${key}`).toBeLessThanOrEqual(0.02);
      }
    }
    await loss.release();
    await plain.release();
  });
});
