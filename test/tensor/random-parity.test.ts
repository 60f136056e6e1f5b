import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createRng } from "../../src/tensor/index.js";
import { description } from "../support/parity.js";

const values = z.array(z.array(z.number()));
const shapes = z.array(z.array(z.number()));
const schema = z.object({
  cases: z.array(z.object({ seed: z.string(), shapes, values })),
  long: z.object({ seed: z.number(), shapes, stride: z.number(), values }),
});

/** Two or three last bits of float32: other logarithms and cosines than torch's. */
const WITHIN = 5e-7;

describe("torch.randn on the CPU", () => {
  const { cases, long } = description("random", schema);

  it.each(cases.map((c) => ({ ...c, title: `seed ${c.seed}, ${JSON.stringify(c.shapes)}` })))("$title", (golden) => {
    const rng = createRng(BigInt(golden.seed));
    for (const [i, shape] of golden.shapes.entries()) {
      const drawn = rng.randn(shape);
      expect(drawn.shape).toEqual(shape);
      expectSame(drawn.data, golden.values[i] ?? []);
    }
  });

  it("a long stream crosses many turns of the twister", () => {
    const rng = createRng(long.seed);
    for (const [i, shape] of long.shapes.entries()) {
      expectSame(
        rng.randn(shape).data.filter((_, j) => j % long.stride === 0),
        long.values[i] ?? [],
      );
    }
  });
});

function expectSame(drawn: Float32Array, expected: readonly number[]): void {
  expect(drawn.length).toBe(expected.length);
  for (const [i, e] of expected.entries()) {
    expect(Math.abs((drawn[i] ?? Number.NaN) - e) / Math.max(1, Math.abs(e)), `value ${i}`).toBeLessThan(WITHIN);
  }
}
