import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyDelta, type Delta } from "../../src/adapters/delta.js";
import { adapterFacts } from "../../src/adapters/facts.js";
import { DIALECTS } from "../../src/adapters/fields.js";
import { type Layers, layersOf } from "../../src/adapters/names.js";
import { type Adapter, readAdapter, type Target } from "../../src/adapters/read.js";
import { adapterTensors } from "../../src/adapters/write.js";
import { RequestError } from "../../src/errors.js";
import { createRng, type FloatTensor, float } from "../../src/tensor/index.js";
import { fileOf, type LayerCase, layersWith, MATRIX_KINDS, matrixLayer } from "../support/adapters.js";
import { componentGolden } from "../support/checkpoint.js";

const CONVERTED = ["LoRA (kohya)", "LoRA (PEFT)", "LoCon with a Tucker core", "DoRA over outputs", "DoRA (PEFT)"];

const adapterOf = (kind: string, layer: LayerCase, seed: number): Adapter =>
  readAdapter("file", fileOf(MATRIX_KINDS[kind]?.(layer, seed).tensors ?? {}), layersWith(layer));
const merged = (adapter: Adapter, weight: FloatTensor) =>
  adapter.targets.reduce((w, { delta }) => applyDelta(delta, w, 1), weight);

describe("an adapter that is written", () => {
  it.each(DIALECTS.flatMap((dialect) => CONVERTED.map((kind) => [kind, dialect] as const)))(
    "%s in the dialect of %s reads back as the same change",
    (kind, dialect) => {
      fc.assert(
        fc.property(matrixLayer, fc.nat(9999), (layer, seed) => {
          const adapter = adapterOf(kind, layer, seed);
          const written = adapterTensors(adapter, dialect, layersWith(layer));
          const back = readAdapter("file", new Map(Object.entries(written)), layersWith(layer));
          const weight = createRng(seed).randn(layer.weight);
          const [one, two] = [merged(adapter, weight).data, merged(back, weight).data];
          for (const [i, v] of one.entries()) expect(two[i]).toBeCloseTo(v, 3);
        }),
        { numRuns: 20 },
      );
    },
  );

  it("names a transformer's layers as diffusers' pipelines do", () => {
    const layer = { weight: [6, 4], bias: null };
    const names = (name: string) => {
      const layers: Layers = new Map([["unet", new Map([[name, layer]])]]);
      const tensors = MATRIX_KINDS["LoRA (PEFT)"]?.(layer, 1).tensors ?? {};
      const file = new Map(Object.entries(tensors).map(([end, t]) => [`unet.${name}${end}`, t]));
      return Object.keys(adapterTensors(readAdapter("file", file, layers), "peft", layers));
    };
    const both = (name: string) => ["A", "B"].map((matrix) => `${name}.lora_${matrix}.weight`);
    expect(names("transformer_blocks.0.attn.to_q")).toEqual(both("transformer.transformer_blocks.0.attn.to_q"));
    expect(names("noise_refiner.1.attention.to_v")).toEqual(both("transformer.noise_refiner.1.attention.to_v"));
    expect(names("mid_block.attentions.0.proj_in")).toEqual(both("unet.mid_block.attentions.0.proj_in"));
  });

  it("has DoRA's lengths in the shape that each dialect stores", () => {
    const shapes = (layer: LayerCase, dialect: (typeof DIALECTS)[number]) =>
      Object.entries(adapterTensors(adapterOf("DoRA over outputs", layer, 1), dialect, layersWith(layer)))
        .filter(([key]) => /dora_scale|magnitude/.test(key))
        .map(([, { shape }]) => shape);
    const [linear, conv] = [
      { weight: [6, 4], bias: [6] },
      { weight: [6, 4, 3, 3], bias: [6] },
    ];
    expect([shapes(linear, "peft"), shapes(conv, "peft")]).toEqual([[[6]], [[1, 6, 1, 1]]]);
    expect([shapes(linear, "kohya"), shapes(conv, "kohya")]).toEqual([[[6, 1]], [[6, 1, 1, 1]]]);
  });

  it.each([
    ["DoRA over inputs", "peft"],
    ["LoHa", "kohya"],
    ["LoKr, two products", "peft"],
    ["replacement", "kohya"],
    ["difference", "peft"],
  ] as const)("%s is refused in the dialect of %s", (kind, dialect) => {
    const layer = { weight: [6, 4], bias: [6] };
    expect(() => adapterTensors(adapterOf(kind, layer, 1), dialect, layersWith(layer))).toThrow(RequestError);
  });
});

/** Adaptable layers of a small network with the names of a transformer's. */
const transformer = (component: string): Layers =>
  new Map([["unet", layersOf(componentGolden(component).weights.tensors)]]);

type LowRank = Extract<Delta, { kind: "low-rank" }>;

/** A LoRA of a layer. The alpha is the layer's own: alpha / rank differs between parts of a fused layer. */
function lora({ weight: [outputs = 0, inputs = 0, ...kernel] }: LayerCase, rank: number, seed: number): LowRank {
  const rng = createRng(seed);
  const [down, up] = [rng.randn([rank, inputs, ...kernel]), rng.randn([outputs, rank])];
  return { kind: "low-rank", down, up, mid: null, alpha: 1 + (seed % 3), magnitude: null };
}

const adapterOn = (targets: readonly Target[]): Adapter => ({
  ...{ file: "file", dialects: [], unmatched: [], untouched: 0 },
  targets,
});

describe("a transformer's adapter in kohya's names", () => {
  it.each([
    ["flux1", { lora_unet_double_blocks_0_img_attn_qkv: 6, lora_unet_single_blocks_0_linear1: 8 }],
    ["chroma", { lora_unet_double_blocks_0_txt_attn_qkv: 6, lora_unet_single_blocks_0_linear2: 2 }],
    ["flux2", { lora_unet_double_blocks_0_txt_attn_qkv: 6, lora_unet_single_blocks_0_linear1: 2 }],
    ["sd3", { lora_unet_joint_blocks_0_x_block_attn_qkv: 6, lora_unet_final_layer_adaLN_modulation_1: 2 }],
    ["sana", { lora_unet_blocks_0_attn_qkv: 6, lora_unet_blocks_0_cross_attn_kv_linear: 4 }],
    ["z-image", { lora_unet_layers_0_attention_qkv: 6, lora_unet_layers_0_attention_out: 2 }],
    ["qwen-image", { lora_unet_transformer_blocks_0_attn_to_q: 2, lora_unet_transformer_blocks_0_attn_to_out_0: 2 }],
  ] as const)("of %s has the layers of its own code, and reads back as the same change", (component, ranks) => {
    const layers = transformer(component);
    const matrices = [...(layers.get("unet") ?? [])].filter(([, { weight }]) => weight.length > 1);
    const targets = matrices.map(([layer, shape], i): Target => ({ part: "unet", layer, delta: lora(shape, 2, i) }));
    const written = adapterTensors(adapterOn(targets), "kohya", layers);
    const ranksOf = Object.keys(ranks).map((key) => [key, written[`${key}.lora_down.weight`]?.shape[0]]);
    expect(Object.fromEntries(ranksOf)).toEqual(ranks);
    const back = readAdapter("file", new Map(Object.entries(written)), layers);
    expect(back.targets).toHaveLength(targets.length);
    const again = new Map(back.targets.map(({ layer, delta }) => [layer, delta]));
    for (const [i, [layer, { weight }]] of matrices.entries()) {
      const [delta, read] = [targets[i]?.delta, again.get(layer)];
      if (!delta || !read) throw new Error(`${layer} is missing`);
      const zeros = float(weight);
      const [one, two] = [applyDelta(delta, zeros, 1).data, applyDelta(read, zeros, 1).data];
      const largest = one.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      const apart = one.reduce((most, v, j) => Math.max(most, Math.abs(v - (two[j] ?? Number.NaN))), 0);
      expect(largest).toBeGreaterThan(0);
      expect(apart / largest).toBeLessThan(1e-6);
    }
  });

  it("keeps its rank when it comes from a file in these names", () => {
    const layers = transformer("flux1");
    const key = "lora_unet_double_blocks_0_img_attn_qkv";
    const [outputs = 0, inputs = 0] = layers.get("unet")?.get("transformer_blocks.0.attn.to_q")?.weight ?? [];
    const rng = createRng(4);
    const file = {
      [`${key}.lora_down.weight`]: rng.randn([2, inputs]),
      [`${key}.lora_up.weight`]: rng.randn([3 * outputs, 2]),
      [`${key}.alpha`]: float([], Float32Array.of(3)),
    };
    const read = readAdapter("file", new Map(Object.entries(file)), layers);
    expect(read.targets).toHaveLength(3);
    expect(adapterTensors(read, "kohya", layers)).toEqual(file);
  });

  it("keeps the alpha that all parts have", () => {
    const layers = transformer("z-image");
    const key = "lora_unet_layers_0_attention_qkv.alpha";
    const alphaOf = (...alphas: readonly number[]) => {
      const targets = alphas.map((alpha, i): Target => {
        const layer = `layers.0.attention.to_${i === 0 ? "q" : "v"}`;
        const shape = layers.get("unet")?.get(layer) ?? { weight: [], bias: null };
        return { part: "unet", layer, delta: { ...lora(shape, i + 1, 3), alpha } };
      });
      return adapterTensors(adapterOn(targets), "kohya", layers)[key]?.data;
    };
    // Ranks of 1 and 2: alpha / rank is 0.5 for both, then 1 and 0.5, so that these are in the matrices.
    expect(alphaOf(0.5, 1)).toEqual(Float32Array.of(1.5));
    expect(alphaOf(1, 1)).toEqual(Float32Array.of(3));
  });

  it("joins DoRA of all parts and full differences, and refuses DoRA of some in a line", () => {
    const layers = transformer("sd3");
    const block = "transformer_blocks.0.attn";
    const [outputs = 0, inputs = 0] = layers.get("unet")?.get(`${block}.to_q`)?.weight ?? [];
    const on = (parts: readonly string[], delta: Delta) =>
      adapterOn(parts.map((part): Target => ({ part: "unet", layer: `${block}.${part}`, delta })));
    const key = "lora_unet_joint_blocks_0_x_block_attn_qkv";
    const plain = lora({ weight: [outputs, inputs], bias: null }, 2, 1);
    const lengths = createRng(2).randn([outputs]);
    const dora: Delta = { ...plain, magnitude: { axis: "output", lengths } };
    const all = adapterTensors(on(["to_q", "to_k", "to_v"], dora), "kohya", layers);
    expect(all[`${key}.dora_scale`]?.shape).toEqual([3 * outputs, 1]);
    expect(all[`${key}.dora_scale`]?.data.slice(-outputs)).toEqual(lengths.data);
    const some = on(["to_q", "to_k"], dora);
    expect(() => adapterTensors(some, "kohya", layers)).toThrow(
      /^file: in kohya's names transformer_blocks\.0\.attn\.to_q \(DoRA\), .*to_k \(DoRA\) are parts of one layer, and /,
    );
    const weight = createRng(3).randn([outputs, inputs]);
    const difference = adapterTensors(on(["to_v"], { kind: "difference", weight, bias: null }), "kohya", layers);
    expect(Object.keys(difference)).toEqual([`${key}.diff`]);
    expect(difference[`${key}.diff`]?.data.slice(0, 2 * outputs * inputs).every((v) => v === 0)).toBe(true);
    expect(difference[`${key}.diff`]?.data.slice(2 * outputs * inputs)).toEqual(weight.data);
  });
});

describe("facts of an adapter", () => {
  it("count kinds, ranks and values", () => {
    const layer = { weight: [6, 4, 3, 3], bias: [6] };
    const facts = (kind: string) => adapterFacts(adapterOf(kind, layer, 1));
    expect(facts("DoRA of a LoHa").kinds).toEqual({ "DoRA of a LoHa": 1 });
    expect(facts("LoCon with a Tucker core").kinds).toEqual({ "LoCon with a Tucker core": 1 });
    const { ranks, parameters, targets } = facts("DoRA over outputs");
    const rank = ranks?.[0] ?? 0;
    expect(parameters).toBe(rank * 4 * 9 + 6 * rank + 6);
    expect(targets).toEqual([{ part: "unet", layers: 1, blocks: { down: 0, mid: 0, up: 0, other: 1 } }]);
    expect(facts("difference")).toMatchObject({ ranks: null, alphas: [], parameters: 6 * 36 + 6 });
  });
});
