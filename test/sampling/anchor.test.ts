import { describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import {
  advance,
  initialLatents,
  makePlan,
  type NoiseLevel,
  type Plan,
  type SamplerConfig,
  type SolverState,
} from "../../src/sampling/index.js";
import { createRng, type FloatTensor, float } from "../../src/tensor/index.js";
import { scheduler } from "./configs.js";

const base = (className: string, steps: number, more: object = {}): SamplerConfig => ({
  scheduler: scheduler(className, { timestep_spacing: "trailing", ...more }),
  steps,
  guidance: 0,
});
const distilled: SamplerConfig = {
  scheduler: scheduler("LCMScheduler"),
  timesteps: [999, 749, 499, 249],
  guidance: 0,
};
const plan = (own: SamplerConfig, anchor: number | undefined, k = 1): Plan =>
  makePlan({ mode: "hybrid", base: own, distilled, switch: k, anchor });

/** Latents after the rows of the base, with `eps` in place of the network. */
function baseLatents({ rows, ...rest }: Plan, noise: FloatTensor, eps: (x: FloatTensor, row: number) => FloatTensor) {
  let xt = initialLatents({ rows, ...rest }, noise);
  let state: SolverState;
  const all = [xt];
  for (const [i, row] of rows.entries()) {
    if (row.kind !== "step" || row.model !== "base") break;
    const done = advance(row, { xt, output: eps(xt, i), rng: createRng(0), state });
    ({ xt, state } = done);
    all.push(xt);
  }
  return all;
}

const noise = float([1, 1, 2, 3], createRng(5).randn([6]).data);
/** An output that depends on the latents and on the step, so that steps are not straight. */
const bent = (x: FloatTensor, row: number) =>
  float(
    x.shape,
    x.data.map((v, i) => Math.tanh(v * (1 + 0.1 * row)) + 0.05 * i),
  );
const scaled = ({ alpha, sigma }: NoiseLevel) => ({ size: alpha + sigma, share: sigma / (alpha + sigma) });

describe("an anchor", () => {
  it.each(["EulerDiscreteScheduler", "DDIMScheduler", "DPMSolverMultistepScheduler"])(
    "jumps along the mean velocity of the first steps of %s",
    (className) => {
      for (const count of [1, 2, 5]) {
        const found = plan(base(className, 30), count);
        const own = found.rows.filter((row) => row.kind === "step" && row.model === "base");
        expect(own).toHaveLength(count);
        const plain = makePlan({ mode: "base", base: base(className, 30) });
        const all = baseLatents(plain, noise, bent);
        const [from, end, to] = [plain.rows[0]?.from, plain.rows[count - 1]?.to, own.at(-1)?.to];
        if (!from || !end || !to) throw new Error("rows have levels");
        const [a, b, c] = [scaled(from), scaled(end), scaled(to)];
        const expected = [...noise.data].map((_, i) => {
          const [x, y] = [(all[0]?.data[i] ?? 0) / a.size, (all[count]?.data[i] ?? 0) / b.size];
          return c.size * (x + ((c.share - a.share) * (y - x)) / (b.share - a.share));
        });
        const actual = baseLatents(found, noise, bent).at(-1);
        expect([...(actual?.data ?? [])]).toEqual(expected.map((v) => expect.closeTo(v, 4)));
        expect(found.rows[count]).toMatchObject({ model: "distilled", timestep: 749, from: { t: 749 } });
      }
    },
  );

  it("is the plain hand-off where the last step ends at the level of the distilled row", () => {
    const [own, jumped] = [plan(base("DDIMScheduler", 4), undefined), plan(base("DDIMScheduler", 4), 1)];
    expect(jumped.rows).toHaveLength(own.rows.length);
    const [x, y] = [own, jumped].map((p) => baseLatents(p, noise, bent).at(-1));
    expect([...(x?.data ?? [])]).toEqual([...(y?.data ?? [])].map((v) => expect.closeTo(v, 5)));
  });

  it("follows a straight path exactly, from any number of steps", () => {
    // x = α c + σ n with constant c and n is a straight line of the flow.
    const constant = () => noise;
    const ends = [1, 3, 7].map((count) =>
      baseLatents(plan(base("EulerDiscreteScheduler", 30), count), noise, constant).at(-1),
    );
    for (const end of ends)
      expect([...(end?.data ?? [])]).toEqual([...(ends[0]?.data ?? [])].map((v) => expect.closeTo(v, 4)));
  });

  it("refuses what it cannot do in one line", () => {
    const euler = base("EulerDiscreteScheduler", 10);
    expect(() => plan(euler, 11)).toThrow("anchor is 11; expected an integer from 1 to 10, the steps of the base");
    expect(() => plan(euler, 2, 0)).toThrow("expected --switch 1 or more");
    const needs = "--anchor needs steps of one model call, without new noise and without clip_sample; the base's are";
    for (const [name, more] of [
      ["EulerAncestralDiscreteScheduler", {}],
      ["HeunDiscreteScheduler", {}],
      ["DDIMScheduler", { clip_sample: true }],
      ["UniPCMultistepScheduler", {}],
    ] as const) {
      expect(() => plan(base(name, 10, more), 3)).toThrow(needs);
      expect(() => plan(base(name, 10, more), 3)).toThrow(RequestError);
    }
  });
});
