import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyDelta } from "../../src/adapters/delta.js";
import { type Adapter, readAdapter } from "../../src/adapters/read.js";
import { constant, resolveScale, type ScaleInput } from "../../src/adapters/scale.js";
import { stackOn } from "../../src/adapters/stack.js";
import { RequestError } from "../../src/errors.js";
import { float } from "../../src/tensor/index.js";
import { fileOf, layersWith, MATRIX_KINDS } from "../support/adapters.js";

const LAYER = { weight: [6, 4, 3, 3], bias: [6] };
const adapters = new Map(
  Object.entries(MATRIX_KINDS).map(([kind, make], seed): [string, Adapter] => [
    kind,
    readAdapter(kind, fileOf(make(LAYER, seed).tensors), layersWith(LAYER)),
  ]),
);
const stackOf = (kinds: readonly string[], scale: ScaleInput = 1) =>
  stackOn(
    "unet",
    kinds.flatMap((kind) => adapters.get(kind) ?? []).map((adapter) => ({ adapter, scale: resolveScale(scale) })),
  );
const some = fc.array(fc.constantFrom(...adapters.keys()), { minLength: 1, maxLength: 3 });

describe("stacks of adapters", () => {
  it("share a graph exactly where they have the same graph inputs", () => {
    const inputs = (kinds: readonly string[]) => {
      const stack = stackOf(kinds);
      return [[...(stack?.loraLayers ?? [])], [...(stack?.mergedWeights ?? [])].sort((a, b) => (a < b ? -1 : 1))];
    };
    fc.assert(
      fc.property(some, some, (one, two) => {
        const same = JSON.stringify(inputs(one)) === JSON.stringify(inputs(two));
        expect(stackOf(one)?.graphKey === stackOf(two)?.graphKey).toBe(same);
      }),
    );
    expect(stackOf(["difference"])?.graphKey).not.toBe(stackOf(["difference of a bias"])?.graphKey);
  });

  it("share constant inputs exactly where adapters and merged scales are the same", () => {
    expect(stackOf(["LoRA (kohya)"], 1)?.inputKey).toBe(stackOf(["LoRA (kohya)"], 2)?.inputKey);
    expect(stackOf(["LoHa"], 1)?.inputKey).not.toBe(stackOf(["LoHa"], 2)?.inputKey);
    expect(stackOf(["LoHa"])?.inputKey).not.toBe(stackOf(["difference"])?.inputKey);
  });

  it("concatenate LoRA matrices along the rank, each column with the index of its scale", () => {
    const kinds = ["LoRA (PEFT)", "LoRA (kohya)"];
    const stack = stackOf(kinds);
    const {
      "conv_in.down": down,
      "conv_in.up": up,
      "conv_in.scale_index": index,
    } = stack?.loraInputs(["conv_in.down", "conv_in.up", "conv_in.scale_index", "timestep"]) ?? {};
    const ranks = index?.shape[0] ?? 0;
    expect([down?.shape, up?.shape]).toEqual([
      [ranks, 4, 3, 3],
      [6, ranks, 1, 1],
    ]);
    // Each adapter has four scales; conv_in takes the last, that of layers outside the blocks.
    expect([...new Set(Array.from(index?.data ?? [], Number))]).toEqual([3, 7]);
    // W + up diag(1) down is what both make of W.
    const merged = kinds.reduce(
      (w, kind) => adapters.get(kind)?.targets.reduce((v, { delta }) => applyDelta(delta, v, 1), w) ?? w,
      float([6, 4, 3, 3]),
    );
    for (const [i, v] of merged.data.entries()) {
      const [o, rest] = [Math.floor(i / 36), i % 36];
      const sum = Array.from(
        { length: ranks },
        (_, r) => Number(up?.data[o * ranks + r]) * Number(down?.data[r * 36 + rest]),
      );
      expect(sum.reduce((a, b) => a + b, 0)).toBeCloseTo(v, 4);
    }
  });

  it("give each adapter and block the scale of a row and a sample", () => {
    const scale = { blocks: { up: 0.5 }, samples: [{ seed: 7, scale: 3 }] };
    const stack = stackOn(
      "unet",
      [scale, 2].flatMap((s) => {
        const adapter = adapters.get("LoRA (kohya)");
        return adapter ? [{ adapter, scale: resolveScale(s) }] : [];
      }),
    );
    expect(stack?.scales(0, { prompt: 0, seed: 7 })).toEqual([3, 3, 1.5, 3, 2, 2, 2, 2]);
    expect(stack?.scales(0, { prompt: 0, seed: 8 })).toEqual([1, 1, 0.5, 1, 2, 2, 2, 2]);
  });

  it("refuse a scale by row or sample for kinds that are merged", () => {
    const loras = /^(LoRA \(|LoCon)/;
    for (const kind of adapters.keys()) {
      for (const scale of [{ rows: [{ from: 0, to: 1, scale: 1 }] }, { samples: [{ prompt: 0, scale: 1 }] }]) {
        if (loras.test(kind)) expect(stackOf([kind], scale)).not.toBeNull();
        else expect(() => stackOf([kind], scale)).toThrow(RequestError);
      }
    }
  });

  it("are none for a part that no adapter changes", () => {
    const attached = [...adapters.values()].map((adapter) => ({ adapter, scale: constant(1) }));
    expect(stackOn("text_encoder", attached)).toBeNull();
  });
});
