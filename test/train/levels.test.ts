import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OpenedPair, openPair } from "../../src/open/index.js";
import { createRng, float } from "../../src/tensor/index.js";
import { flowLevels, levelsOf, noisySample, type Weighting, weightingOf } from "../../src/train/index.js";
import { checkpointFolder } from "../support/checkpoint.js";

const open = (base: string, distilled?: string) =>
  openPair(
    { base: checkpointFolder(base), ...(distilled && { distilled: checkpointFolder(distilled) }) },
    { threads: 1 },
  );
const SIZE = { width: 48, height: 32 };
let [embedded, zimage, flux1, sana]: OpenedPair[] = [];

beforeAll(async () => {
  [embedded, zimage, flux1, sana] = [
    await openPair({}, { threads: 1 }),
    await open("zimage", "zimage-turbo"),
    await open("flux1"),
    await open("sana"),
  ];
});
afterAll(async () => {
  for (const pair of [embedded, zimage, flux1, sana]) await pair?.close();
});
const given = (pair: OpenedPair | undefined): OpenedPair => {
  if (!pair) throw new Error("there is no pair");
  return pair;
};

describe("noise levels of a base of flow matching", () => {
  it("are those of diffusers' training scripts, with a static shift once", () => {
    const levels = flowLevels(given(zimage), SIZE);
    const shift = Number(given(zimage).base.scheduler.config["shift"]);
    expect([levels.length, shift]).toEqual([1000, expect.any(Number)]);
    expect(levels[0]).toEqual({ timestep: 1000, level: { t: 1000, alpha: 0, sigma: 1 } });
    for (const [i, u] of [
      [250, 0.75],
      [999, 0.001],
    ] as const) {
      const sigma = (shift * u) / (1 + (shift - 1) * u);
      expect(levels[i]?.level.sigma).toBeCloseTo(sigma, 6);
      expect(levels[i]?.timestep).toBeCloseTo(1000 * sigma, 3);
    }
  });

  it("are shifted by the image's size where the scheduler shifts so", () => {
    const middle = (width: number) => flowLevels(given(flux1), { width, height: 32 })[500]?.level.sigma ?? 0;
    expect(middle(64)).toBeGreaterThan(middle(32) + 1e-4);
    const { config } = given(flux1).base.scheduler;
    const [base, most, few, many] = ["base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len"].map((key) =>
      Number(config[key]),
    );
    const tokens = (64 * 32) / (given(flux1).image?.pixelsPerToken ?? 1) ** 2;
    const mu = Number(base) + ((Number(most) - Number(base)) / (Number(many) - Number(few))) * (tokens - Number(few));
    expect(middle(64)).toBeCloseTo(Math.exp(mu) / (Math.exp(mu) + 1), 5);
  });

  it("are those of the solver's own grid for SANA", () => {
    const [first, ...rest] = flowLevels(given(sana), SIZE).map(({ level }) => level.sigma);
    expect(first).toBeGreaterThan(0.99);
    expect(rest).toHaveLength(999);
    expect(Math.min(...rest)).toBeGreaterThan(0);
  });
});

describe("drawn levels", () => {
  const shares = (weighting: Weighting, on: "base" | "distilled" = "base") => {
    const { draw, prediction } = levelsOf(given(zimage), on, weighting);
    expect(prediction).toBe("flow_prediction");
    const rng = createRng(1);
    const places = new Map(flowLevels(given(zimage), SIZE).map(({ timestep }, i) => [timestep, i / 1000]));
    let seed = 0;
    const random = () => {
      seed = (seed + 0.618033988749895) % 1;
      return seed;
    };
    const drawn = Array.from({ length: 4000 }, () => draw(SIZE, random, rng).timestep);
    return { drawn, at: drawn.map((t) => places.get(t) ?? Number.NaN) };
  };
  const share = (at: readonly number[], from: number, to: number) =>
    at.filter((p) => p >= from && p < to).length / at.length;

  it("are even, logit-normal, or as the curve of mode has them", () => {
    const even = shares("none").at;
    expect(share(even, 0.4, 0.6)).toBeCloseTo(0.2, 2);
    const normal = shares("logit-normal").at;
    // P(|z| < ln 1.5) and P(z < −ln 9) of a standard normal.
    expect(share(normal, 0.4, 0.6)).toBeCloseTo(0.3149, 1);
    expect(share(normal, 0, 0.1)).toBeCloseTo(0.014, 1);
    const mode = shares("mode").at;
    // 1 − u − 1.29 (cos²(πu/2) − 1 + u) is 0.6 at u = 0.2656 and 0.4 at u = 0.7344.
    expect(share(mode, 0.4, 0.6)).toBeGreaterThan(0.4);
    expect(Math.abs(mode.reduce((a, b) => a + b, 0) / mode.length - 0.5)).toBeLessThan(0.02);
  });

  it("are the steps of a distilled model", () => {
    const { drawn } = shares("none", "distilled");
    const steps = new Set(drawn);
    expect(steps.size).toBeLessThanOrEqual(10);
    expect(Math.max(...steps)).toBe(1000);
  });

  it("weigh as cosmap has it: 2 / (π (1 − 2 σ + 2 σ²))", () => {
    const x = float([1, 1, 1, 1], Float32Array.of(1));
    const weight = (sigma: number) =>
      noisySample(x, x, {
        level: { t: 1000 * sigma, alpha: 1 - sigma, sigma },
        prediction: "flow_prediction",
        weighting: "cosmap",
      }).weight;
    expect([0.25, 0.5, 1].map(weight)).toEqual(
      [2 / (Math.PI * 0.625), 4 / Math.PI, 2 / Math.PI].map((v) => expect.closeTo(v, 9)),
    );
  });
});

describe("the weighting of a request", () => {
  it("is by default that of the model's kind", () => {
    expect(weightingOf(given(embedded), {})).toBe("debiased");
    expect(weightingOf(given(embedded), { snrGamma: 3 })).toBe("min-snr");
    expect(weightingOf(given(zimage), {})).toBe("logit-normal");
    expect(weightingOf(given(zimage), { on: "distilled" })).toBe("none");
    expect(weightingOf(given(sana), { weighting: "cosmap" })).toBe("cosmap");
  });

  it.each([
    [
      "embedded",
      { weighting: "mode" },
      /--weighting mode is for flow matching, .*expected --weighting debiased, min-snr or none/,
    ],
    [
      "zimage",
      { weighting: "debiased" },
      /--weighting debiased is for models that predict noise, and Z-Image predicts/,
    ],
    ["zimage", { snrGamma: 5 }, /--snr-gamma is for models that predict noise/],
    [
      "zimage",
      { weighting: "mode", on: "distilled" },
      /draws noise levels of the base.*expected --weighting none or cosmap/,
    ],
  ] as const)("of %s refuses %j", (name, request, said) => {
    expect(() => weightingOf(given(name === "zimage" ? zimage : embedded), request)).toThrow(said);
  });
});
