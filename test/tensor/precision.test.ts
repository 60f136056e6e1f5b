import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromBfloat16, fromFloat16, quantise, toFloat16 } from "../../src/tensor/index.js";

const half = (v: number) => toFloat16(Float32Array.of(v))[0];

describe("float16", () => {
  it.each([
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-1.5, 0xbe00],
    // Halfway between two neighbours goes to the even one: 2049 to 2048, 2051 to 2052.
    [2049, 0x6800],
    [2051, 0x6802],
    [65504, 0x7bff],
    [65519, 0x7bff],
    [65520, 0x7c00],
    [Number.NEGATIVE_INFINITY, 0xfc00],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    // Half of the least is halfway to nothing, which is even; three halves are halfway to twice the least.
    [2 ** -25, 0x0000],
    [3 * 2 ** -25, 0x0002],
    [1.0001 * 2 ** -25, 0x0001],
    // The largest that is not normal, and what rounds up to the least that is.
    [1023 * 2 ** -24, 0x03ff],
    [1023.5 * 2 ** -24, 0x0400],
  ])("%d has the bits %i", (value, bits) => {
    expect(half(value)).toBe(bits);
  });

  it("comes back from every one of its bits", () => {
    const bits = Uint16Array.from({ length: 1 << 16 }, (_, i) => i).filter((b) => (b & 0x7fff) <= 0x7c00);
    expect(toFloat16(fromFloat16(bits))).toEqual(bits);
    expect(Number.isNaN(fromFloat16(toFloat16(Float32Array.of(Number.NaN)))[0])).toBe(true);
  });

  it("has none that is nearer", () => {
    const values = fromFloat16(Uint16Array.from({ length: 0x7c00 }, (_, i) => i));
    fc.assert(
      fc.property(fc.float({ min: 0, max: 65504, noNaN: true }), (value) => {
        const bits = half(value) ?? 0;
        const off = Math.abs((values[bits] ?? 0) - value);
        for (const other of [bits - 1, bits + 1]) {
          const at = values[other];
          if (at !== undefined) expect(Math.abs(at - value)).toBeGreaterThanOrEqual(off);
        }
      }),
    );
  });

  it("bfloat16 is the upper half of a float32", () => {
    expect([...fromBfloat16(Uint16Array.of(0x3f80, 0xbfc0, 0x7f80))]).toEqual([1, -1.5, Number.POSITIVE_INFINITY]);
  });
});

describe("int8 quantisation", () => {
  it("maps the largest value of each block to 127", () => {
    // Steps of 0.5 and 0.01; −63.5 is −127 of the first, 1.27 is 127 of the second.
    const { codes, scales } = quantise(Float32Array.of(-63.5, 0, 1, 31.9, 1.27, -0.01, 0, 0.014), 4);
    expect([...codes].map((c) => c - 128)).toEqual([-127, 0, 2, 64, 127, -1, 0, 1]);
    expect([...scales].map((s) => s.toFixed(6))).toEqual(["0.500000", "0.010000"]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("refuses %s", (value) => {
    fc.assert(
      fc.property(fc.nat(31), (at) => {
        const values = new Float32Array(32).fill(0.5);
        values[at] = value;
        expect(() => quantise(values, 16)).toThrow(RangeError);
      }),
    );
  });

  it("is never further off than half a step, and keeps a block of zeros", () => {
    expect([...quantise(new Float32Array(4), 4).codes]).toEqual([128, 128, 128, 128]);
    fc.assert(
      fc.property(fc.float32Array({ minLength: 32, maxLength: 32, noNaN: true, min: -1e6, max: 1e6 }), (values) => {
        const { codes, scales } = quantise(values, 16);
        for (const [i, v] of values.entries()) {
          const step = scales[i >> 4] ?? 0;
          expect(Math.abs(((codes[i] ?? 0) - 128) * step - v)).toBeLessThanOrEqual(step * 0.5001 + 1e-37);
        }
      }),
    );
  });
});
