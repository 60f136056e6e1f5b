import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { float, fromRgb, resizeAndCrop, resizeBicubic, toRgb } from "../../src/tensor/index.js";

describe("pictures", () => {
  it("become bytes as diffusers does, halves to the even one", () => {
    // −1, 1, 0 (127.5 → 128), beyond both ends, and a value whose float32 product is 126.5 exactly (→ 126)
    const x = float([1, 3, 1, 2], Float32Array.of(-1, 1, 0, 3, -7, (2 * 126.5) / 255 - 1));
    expect([...toRgb(x).data]).toEqual([0, 128, 0, 255, 255, 126]);
  });

  it("go to floats and back", () => {
    const image = { width: 3, height: 2, data: Uint8Array.from({ length: 18 }, (_, i) => i * 14) };
    const x = fromRgb(image);
    expect(x.shape).toEqual([1, 3, 2, 3]);
    expect(x.data[0]).toBe(-1);
    expect([...toRgb(x).data]).toEqual([...image.data]);
  });

  // Made with Pillow 13: Image.resize(size, BICUBIC) of a random 5 × 7 picture.
  const pillow = JSON.parse(readFileSync(new URL("pillow.json", import.meta.url), "utf8")) as {
    image: number[];
    sizes: Record<string, number[]>;
  };
  it.each(Object.entries(pillow.sizes))("resize to %s as Pillow does", (size, expected) => {
    const [width = 0, height = 0] = size.split("x").map(Number);
    const resized = resizeBicubic({ width: 5, height: 7, data: Uint8Array.from(pillow.image) }, width, height);
    const worst = resized.data.reduce((w, v, i) => Math.max(w, Math.abs(v - (expected[i] ?? -1000))), 0);
    expect(resized.data.length).toBe(expected.length);
    // Pillow rounds its filter to 22 bits, which can move a value by one.
    expect(worst).toBeLessThanOrEqual(1);
  });

  it("are cut in the middle", () => {
    const data = Uint8Array.from({ length: 4 * 2 * 3 }, (_, i) => Math.floor(i / 3));
    expect([...resizeAndCrop({ width: 4, height: 2, data }, 2).data].filter((_, i) => i % 3 === 0)).toEqual([
      1, 2, 5, 6,
    ]);
  });
});
