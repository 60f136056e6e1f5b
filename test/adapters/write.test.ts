import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyDelta } from "../../src/adapters/delta.js";
import { adapterFacts } from "../../src/adapters/facts.js";
import { DIALECTS } from "../../src/adapters/fields.js";
import type { Layers } from "../../src/adapters/names.js";
import { type Adapter, readAdapter } from "../../src/adapters/read.js";
import { adapterTensors } from "../../src/adapters/write.js";
import { RequestError } from "../../src/errors.js";
import { createRng, type FloatTensor } from "../../src/tensor/index.js";
import { fileOf, type LayerCase, layersWith, MATRIX_KINDS, matrixLayer } from "../support/adapters.js";

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
