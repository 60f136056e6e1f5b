import { describe, expect, it } from "vitest";
import { z } from "zod";
import { antithetic } from "../../../src/sampling/hooks/antithetic.js";
import { apg } from "../../../src/sampling/hooks/apg.js";
import { contrastiveLoss, noiseStep } from "../../../src/sampling/hooks/contrastive-noise.js";
import { dpp } from "../../../src/sampling/hooks/dpp.js";
import { farthest } from "../../../src/sampling/hooks/farthest.js";
import { lowFrequency } from "../../../src/sampling/hooks/low-frequency.js";
import { particles } from "../../../src/sampling/hooks/particles.js";
import { rke } from "../../../src/sampling/hooks/rke.js";
import { siblings } from "../../../src/sampling/hooks/siblings.js";
import { spread } from "../../../src/sampling/hooks/spread.js";
import { guide } from "../../../src/sampling/index.js";
import { createRng, type FloatTensor, float, sample, stack } from "../../../src/tensor/index.js";
import { description, expectClose, tensors } from "../../support/parity.js";

const n = z.number();
const golden = description(
  "methods",
  z.object({
    particles: z.array(z.object({ scale: n })),
    dpp: z.array(z.object({ scale: n, width: n })),
    rke: z.array(z.object({ scale: n, width: n })),
    siblings: z.array(z.object({ scale: n })),
    "low-frequency": z.array(z.object({ strength: n, cutoff: n })),
    spread: z.array(z.object({ strength: n })),
    antithetic: z.array(z.object({ strength: n })),
    farthest: z.array(z.object({ cutoff: n, kept: z.array(n) })),
    "contrastive-noise": z.array(z.object({ temperature: n, loss: n })),
    apg: z.array(z.object({ guidance: n, eta: n, norm: n, momentum: n })),
  }),
);
const recorded = await tensors("methods");
/** float32 at the end of a computation in float64; the volume inverts a matrix with a condition number near 10³. */
const WITHIN = 1e-5;

type Group = readonly FloatTensor[];
const groupOf = (name: string): Group => {
  const all = recorded.float(name);
  return Array.from({ length: all.shape[0] ?? 0 }, (_, i) => sample(all, i));
};

/** Each method on a group, for every recorded case. */
const METHODS: Readonly<Record<string, readonly ((group: Group) => Group)[]>> = {
  particles: golden.particles.map((hook) => (group) => particles(hook, group)),
  dpp: golden.dpp.map((hook) => (group) => dpp({ kind: "dpp", ...hook }, group)),
  rke: golden.rke.map((hook) => (group) => rke({ kind: "rke", ...hook }, group)),
  siblings: golden.siblings.map((hook) => (group) => siblings({ kind: "siblings", ...hook }, group)),
  "low-frequency": golden["low-frequency"].map(
    (hook) => (group) => group.map((x) => lowFrequency({ kind: "low-frequency", ...hook }, x)),
  ),
  spread: golden.spread.map((hook) => (group) => spread({ kind: "spread", ...hook }, group)),
  antithetic: golden.antithetic.map((hook) => (group) => antithetic({ kind: "antithetic", ...hook }, group)),
};

describe("methods on the samples of a prompt compute what their sources state", () => {
  for (const [name, cases] of Object.entries(METHODS)) {
    it.each(cases.flatMap((act, i) => ["five", "two"].map((size) => ({ act, i, size }))))(
      `${name}, case $i, $size`,
      (c) => {
        const { act, i, size } = c;
        expectClose(stack(act(groupOf(size))), recorded.float(`${name}.${i}.${size}`), { within: WITHIN, what: name });
      },
    );
  }

  it.each(golden["contrastive-noise"])("contrastive noise, temperature $temperature", (hook) => {
    const { loss, gradients } = contrastiveLoss(hook, groupOf("five"), groupOf("anchors"));
    expect(loss).toBeCloseTo(hook.loss, 6);
    const name = `contrastive-noise.${golden["contrastive-noise"].indexOf(hook)}`;
    expectClose(stack(gradients), recorded.float(name), { within: WITHIN, what: name });
  });

  it.each(golden.farthest)("farthest, cutoff $cutoff", ({ cutoff, kept }) => {
    const all = recorded.float("draws");
    const [samples = 0, candidates = 0, c = 0, h = 0, w = 0] = all.shape;
    const flat = float([samples * candidates, c, h, w], all.data);
    const draws = Array.from({ length: samples }, (_, i) =>
      Array.from({ length: candidates }, (_, k) => sample(flat, i * candidates + k)),
    );
    const chosen = farthest({ kind: "farthest", candidates, cutoff }, draws);
    expect(chosen.map((z, i) => draws[i]?.indexOf(z))).toEqual(kept);
    expect(new Set(kept).size).toBeGreaterThan(1);
  });
});

it("a step of contrastive noise goes against the gradient, and keeps the length of the noise", () => {
  const [z, gradient] = [createRng(1).randn([1, 4, 3, 5]), createRng(2).randn([1, 4, 3, 5])];
  const moved = noiseStep({ rate: 0.1 }, z, gradient);
  const dot = (a: FloatTensor, b: FloatTensor) => a.data.reduce((sum, v, i) => sum + v * (b.data[i] ?? 0), 0);
  expect(Math.sqrt(dot(moved, moved) / dot(z, z))).toBeCloseTo(1, 6);
  expect(dot(moved, gradient)).toBeLessThan(dot(z, gradient));
  expect(noiseStep({ rate: 0.1 }, z, float([1, 4, 3, 5], new Float32Array(60)))).toBe(z);
});

describe("adaptive projected guidance", () => {
  const [cond, uncond] = [recorded.float("cond"), recorded.float("uncond")];

  it.each(golden.apg.map((hook, i) => ({ hook, i })))("computes what its paper states, case $i", ({ hook, i }) => {
    const { guidance, ...rest } = hook;
    const made = apg({ kind: "apg", ...rest }, cond, uncond, guidance, recorded.float("before"));
    expectClose(made.x0, recorded.float(`apg.${i}`), { within: WITHIN, what: "x0" });
    expectClose(made.momentum, recorded.float(`apg.${i}.momentum`), { within: WITHIN, what: "momentum" });
  });

  it("is classifier-free guidance with everything off", () => {
    const made = apg({ kind: "apg", eta: 1, norm: 0, momentum: 0 }, cond, uncond, 7.5, null);
    expectClose(made.x0, guide(cond, uncond, 7.5), { within: 1e-6, what: "x0" });
  });
});

describe("methods on the samples of a prompt", () => {
  const five = groupOf("five");

  it("leave one sample alone as it is", () => {
    const [one] = five;
    if (!one) throw new Error("no sample");
    for (const [name, cases] of Object.entries(METHODS)) {
      if (name === "low-frequency") continue;
      for (const act of cases) expect(act([one]), name).toEqual([one]);
    }
  });

  it("move samples that are equal nowhere, and give finite numbers", () => {
    const [one] = five;
    if (!one) throw new Error("no sample");
    for (const name of ["particles", "dpp", "rke", "siblings"]) {
      for (const act of METHODS[name] ?? []) {
        expect(act([one, one])[0]?.data).toEqual(one.data);
        expect(act([one, one, ...five]).every((x) => x.data.every(Number.isFinite))).toBe(true);
      }
    }
  });

  it("keep the variance of noise", () => {
    const large = [1, 2, 3, 4, 5].map((seed) => createRng(seed).randn([1, 4, 30, 50]));
    for (const name of ["low-frequency", "spread", "antithetic"]) {
      for (const act of METHODS[name] ?? []) {
        const all = stack(act(large)).data;
        expect(all.reduce((sum, v) => sum + v * v, 0) / all.length, name).toBeCloseTo(1, 1);
      }
    }
  });

  it("spread gives two seeds opposite noise, and more the angle of a simplex", () => {
    const cosine = (a: FloatTensor, b: FloatTensor) => {
      const dot = (x: FloatTensor, y: FloatTensor) => x.data.reduce((sum, v, i) => sum + v * (y.data[i] ?? 0), 0);
      return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
    };
    const [a, b] = spread({ kind: "spread", strength: 1 }, groupOf("two"));
    expect(a && b && cosine(a, b)).toBeCloseTo(-1, 6);
    const apart = spread({ kind: "spread", strength: 1 }, five);
    const sum = stack(apart).data.reduce((total, v) => total + v, 0);
    expect(sum).toBeCloseTo(0, 3);
  });
});
