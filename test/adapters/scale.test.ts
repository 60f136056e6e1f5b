import { describe, expect, it } from "vitest";
import { blockOf, parseScale, scaleAt } from "../../src/adapters/index.js";
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

  it.each(["", "x", "1,2", "1@", "1@2-1", "left=1", "down=x", "1@0,down=1"])("refuse %j", (text) => {
    expect(() => parseScale(text)).toThrow(RequestError);
  });
});
