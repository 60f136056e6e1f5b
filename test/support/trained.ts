/** What the goldens of training begin with: conditioning of prompts, and LoRA matrices, from seeds. */
import { expect } from "vitest";
import type { LayerShape } from "../../src/adapters/index.js";
import type { UNetConfig } from "../../src/models/index.js";
import type { Tensors } from "../../src/optim/index.js";
import { count, createRng, type FloatTensor, float, transposed } from "../../src/tensor/index.js";
import { adapterOf, type TrainedLora } from "../../src/train/index.js";
import type { Recorded } from "./parity.js";

/** Standard normals of a seed, times `by`. */
export const noise = (shape: readonly number[], seed: number, by = 1): FloatTensor =>
  float(
    shape,
    createRng(seed)
      .randn(shape)
      .data.map((v) => v * by),
  );

/** Conditioning of a prompt, as parity/sliders.py grows it. */
export const text = (config: UNetConfig, tokens: number, seed: number) => ({
  streams: { text: noise([1, tokens, config.contextFeatures], seed, 0.5) },
  ...(config.textTime && {
    pooled: noise([1, config.textTime.features - 6 * config.textTime.sinusoid.features], seed + 50),
  }),
});

/** The down matrices of the golden in the names and layout of the graph; the up matrices are zero. */
export function beginning(lora: TrainedLora): Tensors {
  const values: Record<string, FloatTensor> = {};
  for (const [i, { name, weight, rank }] of lora.layers.entries()) {
    const [outputs = 1, ...fan] = weight;
    const down = noise([rank, ...fan], 500 + i, 1 / Math.sqrt(count(fan)));
    if (fan.length === 1) {
      values[`${name}.down_t`] = transposed(down);
      values[`${name}.up_t`] = float([rank, outputs]);
    } else {
      values[`${name}.down`] = down;
      values[`${name}.up`] = float([outputs, rank, 1, 1]);
    }
  }
  return values;
}

/** Layers in byte order of their names, in which the goldens count seeds. */
export const sorted = (layers: ReadonlyMap<string, LayerShape>) =>
  new Map([...layers].sort(([a], [b]) => (a < b ? -1 : 1)));

/** Names and shapes of the matrices, as the goldens list them. */
export const matricesOf = ({ layers }: TrainedLora) =>
  layers.map(({ name, weight: [outputs = 1, ...fan], rank }) => [
    name,
    [rank, ...fan],
    [outputs, rank, ...fan.slice(1).map(() => 1)],
  ]);

/**
 * Holds the matrices after a run against those that were recorded at a stride: all but a share of a matrix within `within`.
 * Adam's first updates are the sign of the gradient times the rate: where a gradient is nearly 0, its sign is rounding.
 */
export function expectMatrices(
  lora: TrainedLora,
  parameters: Tensors,
  recorded: Recorded,
  { within, most, share = 0.025 }: { within: number; most: number; share?: number },
): void {
  for (const { layer, delta } of adapterOf(lora, parameters).targets) {
    if (delta.kind !== "low-rank") throw new Error(`${layer} is no LoRA`);
    expect(delta.alpha).toBe(lora.alpha);
    for (const [key, { data }] of Object.entries({ down: delta.down, up: delta.up })) {
      const expected = recorded.float(`${layer}.${key}`).data;
      const stride = Math.ceil(data.length / most);
      const off = [...expected].filter((v, i) => Math.abs(v - (data[i * stride] ?? Number.NaN)) > within).length;
      expect(off / expected.length, `${layer}.${key}`).toBeLessThanOrEqual(share);
    }
  }
}
