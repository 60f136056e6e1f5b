import { expect, it } from "vitest";
import { sharpness } from "../../src/evaluation/index.js";

const image = (width: number, height: number, grey: (x: number, y: number) => number) => ({
  ...{ width, height },
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) =>
    grey(Math.floor(i / 3) % width, Math.floor(i / 3 / width)),
  ),
});

it("sharpness is the mean difference of neighbouring pixels along both axes", () => {
  expect(sharpness(image(5, 3, () => 90))).toBe(0);
  // Columns alternate by 51 = 0.4 of −1…1, rows are equal.
  expect(sharpness(image(6, 4, (x) => 51 * (x % 2)))).toBeCloseTo(0.4, 9);
  expect(sharpness(image(4, 7, (_, y) => 51 * (y % 2)))).toBeCloseTo(0.4, 9);
  expect(sharpness(image(6, 4, (x, y) => 51 * ((x + y) % 2)))).toBeCloseTo(0.8, 9);
  expect(sharpness(image(1, 1, () => 7))).toBe(0);
});
