import { describe, expect, it } from "vitest";
import { createRng, float, type RgbImage } from "../../src/tensor/index.js";
import { fitRgb, type RgbFit, showRgb } from "../../src/trajectory/index.js";

describe("the straight line from latents to colours", () => {
  const truth: RgbFit = {
    weights: [
      [0.1, -0.2, 0.05],
      [0.02, 0.1, -0.1],
      [-0.15, 0, 0.1],
    ],
    bias: [0.1, -0.05, 0],
  };
  const latents = [1, 2].map((seed) => createRng(seed).randn([1, 3, 4, 6]));

  it("finds the line that made the pictures, height and width not mixed up", () => {
    const fit = fitRgb(
      latents,
      latents.map((x) => showRgb(truth, x)),
    );
    for (const [c, row] of truth.weights.entries()) {
      for (const [k, value] of row.entries()) expect(fit.weights[c]?.[k]).toBeCloseTo(value, 2);
    }
    for (const [k, value] of truth.bias.entries()) expect(fit.bias[k]).toBeCloseTo(value, 2);
    const [latent] = latents;
    if (!latent) throw new Error("no latents");
    const [again, first] = [showRgb(fit, latent), showRgb(truth, latent)];
    expect([again.width, again.height]).toEqual([6, 4]);
    expect(Math.max(...again.data.map((v, i) => Math.abs(v - (first.data[i] ?? 0))))).toBeLessThanOrEqual(2);
  });

  it("is fitted to pictures larger than the latents", () => {
    const latent = float([1, 1, 2, 3], Float32Array.from([0, 1, 0, 1, 0, 1]));
    const small = showRgb({ weights: [[0.5, 0.5, 0.5]], bias: [0, 0, 0] }, latent);
    const large: RgbImage = {
      width: 6,
      height: 4,
      data: Uint8Array.from({ length: 72 }, (_, i) => {
        const [x, y, k] = [Math.floor(i / 3) % 6, Math.floor(i / 18), i % 3];
        return small.data[3 * (Math.floor(y / 2) * 3 + Math.floor(x / 2)) + k] ?? 0;
      }),
    };
    const fit = fitRgb([latent], [large]);
    // Averaged over neighbours, so a little flatter than the truth, but of the same sign.
    expect(fit.weights[0]?.[0]).toBeGreaterThan(0.2);
  });

  it("equals the least-squares line worked out by hand", () => {
    // x = 0 0 1 1 1 1, red = −1 where x = 0 and 1 where x = 1, green = 0.2, blue = −red.
    const x = [0, 0, 1, 1, 1, 1];
    const data = Uint8Array.from(x.flatMap((v) => [255 * v, 153, 255 * (1 - v)]));
    const fit = fitRgb([float([1, 1, 2, 3], Float32Array.from(x))], [{ width: 3, height: 2, data }]);
    // Σx² = Σx = 4, Σ1 = 6, and the ridge; Σx·red = 4, Σred = 2; Σx·green = 0.8, Σgreen = 1.2.
    const [a, b, d] = [4 * (1 + 1e-6) + 1e-9, 4, 6 * (1 + 1e-6) + 1e-9];
    const line = (xy: number, y: number) => [d * xy - b * y, a * y - b * xy].map((v) => v / (a * d - b * b));
    const expected = [line(4, 2), line(0.8, 1.2), line(-4, -2)];
    for (const [k, [weight = Number.NaN, bias = Number.NaN]] of expected.entries()) {
      expect(Math.abs((fit.weights[0]?.[k] ?? 0) - weight)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(weight)));
      expect(Math.abs((fit.bias[k] ?? 0) - bias)).toBeLessThanOrEqual(1e-9 * Math.abs(bias));
    }
  });

  it("gives a silent channel no say", () => {
    const silent = latents.map((x) =>
      float(
        x.shape,
        x.data.map((v, i) => (i >= 48 ? 0 : v)),
      ),
    );
    const fit = fitRgb(
      silent,
      silent.map((x) => showRgb(truth, x)),
    );
    expect(fit.weights[2]?.every((w) => Math.abs(w) < 1)).toBe(true);
  });
});
