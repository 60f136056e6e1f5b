/** What the goldens of training begin with: conditioning of prompts, and LoRA matrices, from seeds. */
import { expect } from "vitest";
import type { LayerShape } from "../../src/adapters/index.js";
import type { Conditioning, Denoiser, UNetConfig } from "../../src/models/index.js";
import type { Tensors } from "../../src/optim/index.js";
import { count, createRng, type FloatTensor, float, transposed } from "../../src/tensor/index.js";
import { adapterOf, type TrainedLora } from "../../src/train/index.js";
import type { ComponentGolden } from "./checkpoint.js";
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

/** Text of a sample of a diffusion transformer, as parity/flow_loras.py grows it; Z-Image's in multiples of 32 tokens. */
export function flowText(
  { tokens, visible }: { readonly tokens: readonly number[]; readonly visible: readonly number[] | null },
  i: number,
  component: ComponentGolden,
  { textFeatures }: Pick<Denoiser, "textFeatures">,
): Conditioning {
  const pooled = component.config["pooled_projection_dim"];
  const multiple = component.class === "ZImageTransformer2DModel" ? 32 : 1;
  const own = tokens[i] ?? 0;
  const length = multiple * Math.ceil(own / multiple);
  const text = float([1, length, textFeatures]);
  text.data.set(noise([1, own, textFeatures], 1 + i).data);
  const shown = visible?.[i] ?? own;
  const mask = Float32Array.from({ length }, (_, at) => (at < shown ? 1 : 0));
  return {
    streams: { text },
    ...((visible !== null || length > own) && { masks: { text: float([1, length], mask) } }),
    ...(typeof pooled === "number" && { pooled: noise([1, pooled], 51 + i) }),
  };
}

/** Largest relative difference of the change of a matrix. */
export function changeApart(lora: TrainedLora, before: Tensors, after: Tensors, recorded: Recorded) {
  let most = 0;
  const first = new Map(adapterOf(lora, before).targets.map(({ layer, delta }) => [layer, delta]));
  for (const { layer, delta } of adapterOf(lora, after).targets) {
    const begun = first.get(layer);
    if (delta.kind !== "low-rank" || begun?.kind !== "low-rank") throw new Error(`${layer} is no LoRA`);
    for (const [key, now, then] of [
      ["down", delta.down, begun.down],
      ["up", delta.up, begun.up],
    ] as const) {
      const stride = Math.ceil(now.data.length / 48);
      const kept = recorded.float(`${layer}.${key}`).data;
      let [a, b] = [0, 0];
      for (const [i, value] of kept.entries()) {
        const start = then.data[i * stride] ?? Number.NaN;
        a += (value - (now.data[i * stride] ?? Number.NaN)) ** 2;
        b += (value - start) ** 2;
      }
      // Matrices of text queries in the last block are not read, and stay.
      most = Math.max(most, b === 0 ? Math.sqrt(a) : Math.sqrt(a / b));
    }
  }
  return most;
}
