import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOf, formatBytes } from "../../src/tensor/index.js";

describe("bytesOf", () => {
  it("is a view of the array's own part of a buffer", () => {
    const values = Float32Array.from([1, 2, 3]).subarray(1);
    const bytes = bytesOf(values);
    expect([bytes.buffer, bytes.byteOffset, bytes.length]).toEqual([values.buffer, 4, 8]);
    // 2 and 3 in float32, little-endian.
    expect([...bytes]).toEqual([0, 0, 0, 64, 0, 0, 64, 64]);
  });
});

describe("formatBytes", () => {
  it.each([
    [0, "0 kB"],
    [1, "1 kB"],
    [201_000, "201 kB"],
    [1_600_000, "1.6 MB"],
    [6_938_040_706, "6.94 GB"],
    [17_179_869_184, "17.18 GB"],
  ])("%d is %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it("never writes 1000 of a smaller unit, and stays within its last digit", () => {
    const UNITS = { kB: 1e3, MB: 1e6, GB: 1e9 } as const;
    const near = fc.tuple(fc.constantFrom(1e3, 1e6, 1e9), fc.integer({ min: -100_000, max: 100_000 }));
    const amounts = fc.oneof(
      fc.nat(2e9),
      near.map(([unit, by]) => Math.max(0, unit + by)),
    );
    fc.assert(
      fc.property(amounts, (bytes) => {
        const [, number = "", digits = "", unit = ""] = /^(\d+\.?(\d*)) (kB|MB|GB)$/.exec(formatBytes(bytes)) ?? [];
        const size = UNITS[unit as keyof typeof UNITS];
        expect(Math.abs(Number(number) * size - bytes)).toBeLessThan(size / 10 ** digits.length);
        if (unit !== "GB") expect(Number(number)).toBeLessThan(1000);
      }),
      { numRuns: 1000 },
    );
  });
});
