import { describe, expect, it } from "vitest";
import { createBuilder, floatingPointOperations, printGraph } from "../../src/graph/index.js";

describe("a drawing", () => {
  it("stays as it was when the drawing goes on", () => {
    const g = createBuilder();
    const x = g.input("x", ["B", 3]);
    const graph = g.finish({ y: g.tanh(x) });
    g.add(x, g.input("later", ["B", 3]));
    expect([...graph.inputs.keys()]).toEqual(["x"]);
    expect(graph.nodes).toHaveLength(1);
  });

  it("prints every node with its shape", () => {
    const g = createBuilder();
    const x = g.input("x", ["B", 4, 6, 10]);
    const w = g.constant([8, 4, 3, 3], new Float32Array(8 * 4 * 9));
    const y = g.conv(x, w, undefined, { stride: 2 });
    const tokens = g.transpose(g.reshape(y, ["B", 8, 15]), [0, 2, 1]);
    expect(printGraph(g.finish({ tokens }))).toMatchInlineSnapshot(`
      "input x : [B, 4, 6, 10] float32
      %2 = conv(x, const1) stride=2 pads=[1,1,1,1] groups=1 : [B, 8, 3, 5]
      %3 = reshape(%2) shape=["B",8,15] : [B, 8, 15]
      %4 = transpose(%3) order=[0,2,1] : [B, 15, 8]
      output tokens = %4 : [B, 15, 8]"
    `);
  });

  it("leaves out what no output needs", () => {
    const g = createBuilder();
    const x = g.input("x", [2, 3]);
    const unused = g.constant([3], new Float32Array(3));
    g.add(x, unused);
    const graph = g.finish({ y: g.silu(x) });
    expect(graph.nodes.map((n) => n.op.kind)).toEqual(["silu"]);
    expect(graph.constants.size).toBe(0);
  });

  it("counts two operations for each multiply-add", () => {
    const g = createBuilder();
    const x = g.input("x", ["B", 5, 7]);
    const w = g.constant([11, 7], new Float32Array(77));
    // 3 samples · 5 rows · 7 inputs · 11 outputs · 2
    expect(floatingPointOperations(g.finish({ y: g.linear(x, w) }), 3)).toBe(3 * 5 * 7 * 11 * 2);
  });

  it.each([
    [
      "linear([2, 3], [4, 5])",
      (g: ReturnType<typeof createBuilder>) => g.linear(g.input("x", [2, 3]), g.input("w", [4, 5])),
    ],
    ["add([2, 3], [4])", (g: ReturnType<typeof createBuilder>) => g.add(g.input("x", [2, 3]), g.input("y", [4]))],
    ["reshape([2, 3])", (g: ReturnType<typeof createBuilder>) => g.reshape(g.input("x", [2, 3]), [7])],
    ["slice([2, 3])", (g: ReturnType<typeof createBuilder>) => g.slice(g.input("x", [2, 3]), 1, 1, 4)],
  ])("refuses %s and says the shapes", (start, draw) => {
    expect(() => draw(createBuilder())).toThrow(start);
  });
});
