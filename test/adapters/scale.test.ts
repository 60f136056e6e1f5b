import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blockOf, constant, isZero, parseScale, resolveScale, scaleAt } from "../../src/adapters/scale.js";
import { RequestError } from "../../src/errors.js";

describe("scales of adapters", () => {
  it("are one number, one for stretches of rows, or one for parts of the UNet", () => {
    expect(scaleAt(parseScale("-1.5"), 3, "up")).toBe(-1.5);
    const rows = parseScale("0@0-1,0.8@2");
    expect([0, 1, 2, 3].map((row) => scaleAt(rows, row, "mid"))).toEqual([0, 0, 0.8, 0]);
    const blocks = parseScale("down=0,up=0.5");
    expect((["down", "mid", "up", "other"] as const).map((b) => scaleAt(blocks, 0, b))).toEqual([0, 1, 0.5, 1]);
  });

  it("know where a layer stands", () => {
    expect(blockOf("down_blocks.0.resnets.0.conv1")).toBe("down");
    expect(blockOf("mid_block.attentions.0.proj_in")).toBe("mid");
    expect(blockOf("up_blocks.1.attentions.0.proj_in")).toBe("up");
    expect(blockOf("conv_in")).toBe("other");
    expect(blockOf("text_model.encoder.layers.0.mlp.fc1")).toBe("other");
  });

  it("differ between samples, by prompt, seed or both; the first entry counts", () => {
    const scale = resolveScale({
      whole: 0.5,
      blocks: { up: 2 },
      samples: [
        { prompt: 0, seed: 7, scale: -1 },
        { prompt: 0, scale: 3 },
        { seed: 8, scale: 0 },
      ],
    });
    const at = (prompt: number, seed: number) => scaleAt(scale, 0, "up", { prompt, seed });
    expect([at(0, 7), at(0, 8), at(1, 8), at(1, 9)]).toEqual([-1, 3, 0, 1]);
    expect(scaleAt(scale, 0, "down", { prompt: 0, seed: 7 })).toBe(-0.5);
  });

  it("are JSON: text, numbers and objects come to the same", () => {
    const row = fc.record({ from: fc.nat(9), length: fc.nat(9), scale: fc.integer() });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 4 }), (list) => {
        const rows = list.map(({ from, length, scale }) => ({ from, to: from + length, scale }));
        const text = rows.map(({ from, to, scale }) => `${scale}@${from}-${to}`).join(",");
        const scale = resolveScale(text);
        expect(resolveScale({ whole: 0, rows })).toEqual(scale);
        expect(resolveScale(JSON.parse(JSON.stringify(scale)))).toEqual(scale);
      }),
    );
    expect(resolveScale(0.8)).toEqual(resolveScale("0.8"));
    expect(resolveScale({})).toEqual(constant(1));
  });

  it("have no effect where they are 0 in every row", () => {
    expect([0, "0@1,0@3", { whole: 0, samples: [{ seed: 1, scale: 2 }] }].map((s) => isZero(resolveScale(s)))).toEqual([
      true,
      true,
      true,
    ]);
    expect([1, "0@1,0.1@3", { samples: [{ seed: 1, scale: 0 }] }].map((s) => isZero(resolveScale(s)))).toEqual([
      false,
      false,
      false,
    ]);
  });

  it.each(["", "x", "1,2", "1@", "1@2-1", "left=1", "down=x", "1@0,down=1", "1e999", "1e999@0"])(
    "refuse %j",
    (text) => {
      expect(() => resolveScale(text)).toThrow(RequestError);
    },
  );

  it.each([
    ["no number", '{ "whole": null }'],
    ["an unknown field", '{ "hole": 1 }'],
    ["an unknown block", '{ "blocks": { "left": 1 } }'],
    ["rows that end before they begin", '{ "rows": [{ "from": 2, "to": 1, "scale": 1 }] }'],
    ["a sample without a scale", '{ "samples": [{ "prompt": 0 }] }'],
    ["a prompt that is no index", '{ "samples": [{ "prompt": -1, "scale": 1 }] }'],
  ])("refuse JSON with %s", (_, text) => {
    expect(() => resolveScale(JSON.parse(text))).toThrow(RequestError);
  });
});
