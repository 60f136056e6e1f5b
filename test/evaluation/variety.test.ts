import { describe, expect, it } from "vitest";
import { distancesOf, latentDistancesOf, varietyOf } from "../../src/evaluation/index.js";
import { float, type RgbImage } from "../../src/tensor/index.js";

/** An image of 3 × 2 pixels of one brightness. */
const grey = (value: number): RgbImage => ({ width: 3, height: 2, data: new Uint8Array(18).fill(value) });

describe("variety in pixels", () => {
  it("is the mean of the root mean square differences within a prompt", () => {
    // Prompt 0: differences of 51, 102 and 51 of 255, so 0.2, 0.4, 0.2. Prompt 1: 0.6.
    const distances = distancesOf(
      [
        [grey(0), grey(51), grey(102)],
        [grey(0), grey(153)],
      ],
      null,
    );
    const { distance, perPrompt, share, measure } = varietyOf("pixels", distances, null);
    expect(measure).toBe("pixels");
    expect(perPrompt[0]).toBeCloseTo(0.8 / 3, 9);
    expect(perPrompt[1]).toBeCloseTo(0.6, 9);
    expect(distance?.mean).toBeCloseTo((0.8 / 3 + 0.6) / 2, 9);
    expect(share).toBeNull();
  });

  it("weighs every pixel of an image", () => {
    const half = { ...grey(0), data: Uint8Array.from({ length: 18 }, (_, i) => (i < 9 ? 255 : 0)) };
    expect(distancesOf([[grey(0), half]], null)[0]?.[1]?.[0]).toBeCloseTo(Math.SQRT1_2, 9);
  });

  it("is null for one image of each prompt, and has no share of a model whose images are equal", () => {
    const one = distancesOf([[grey(0)], [grey(9)]], null);
    expect(varietyOf("pixels", one, one)).toEqual({
      measure: "pixels",
      distance: null,
      perPrompt: [null, null],
      share: null,
    });
    const same = distancesOf([[grey(7), grey(7)]], null);
    const other = distancesOf([[grey(0), grey(255)]], null);
    expect(varietyOf("pixels", other, same).share).toBeNull();
    expect(varietyOf("pixels", same, other).share?.mean).toBe(0);
  });
});

describe("variety in latents", () => {
  it("is the root mean square difference of the latents of a prompt", () => {
    const latents = (...values: number[]) => float([1, 2, 1, 1], Float32Array.from(values));
    // √((3² + 1²) / 2) = √5; the second prompt has one image.
    const distances = latentDistancesOf([[latents(0, 0), latents(3, 1)], [latents(5, 5)]]);
    const { measure, perPrompt } = varietyOf("latents", distances, null);
    expect(measure).toBe("latents");
    expect(perPrompt[0]).toBeCloseTo(Math.sqrt(5), 6);
    expect(perPrompt[1]).toBeNull();
  });
});
