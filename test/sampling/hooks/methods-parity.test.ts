import { describe, expect, it } from "vitest";
import { z } from "zod";
import { cads, cadsHookSchema, meanGamma } from "../../../src/sampling/hooks/cads.js";
import {
  drawEmbeddingNoise,
  embeddingNoise,
  embeddingNoiseHookSchema,
} from "../../../src/sampling/hooks/embedding-noise.js";
import { createRng } from "../../../src/tensor/index.js";
import { description, expectClose, tensors } from "../../support/parity.js";

const seed = z.number();
const golden = description(
  "methods",
  z.object({
    cads: z.array(cadsHookSchema.omit({ kind: true })),
    "cads-gamma": z.array(z.object({ tau1: z.number(), tau2: z.number(), values: z.array(z.number()) })),
    "embedding-noise": z.array(embeddingNoiseHookSchema.omit({ kind: true }).extend({ seed })),
  }),
);
const recorded = await tensors("methods");
/** float32 at the end of a computation in float64, and torch's own draws. */
const WITHIN = 2e-6;

describe("methods on the conditioning compute what their papers state", () => {
  const y = recorded.float("text");

  it.each(golden.cads.map((hook, i) => ({ hook, i })))("cads, case $i", ({ hook, i }) => {
    const actual = cads({ kind: "cads", ...hook }, y, recorded.float("text-noise"));
    expectClose(actual, recorded.float(`cads.${i}`), { within: WITHIN, what: "cads" });
  });

  it.each(golden["cads-gamma"])("γ of $values.length steps is the mean of the paper's γ over each", (schedule) => {
    const { tau1, tau2, values } = schedule;
    const n = values.length;
    for (const [i, expected] of values.entries()) {
      expect(meanGamma(1 - (i + 1) / n, 1 - i / n, tau1, tau2), `step ${i}`).toBeCloseTo(expected, 5);
    }
  });

  it.each(golden["embedding-noise"].map((hook, i) => ({ hook, i })))("embedding-noise, case $i", ({ hook, i }) => {
    const { seed, ...rest } = hook;
    const whole = { kind: "embedding-noise", ...rest } as const;
    const actual = embeddingNoise(whole, y, drawEmbeddingNoise(whole, y.shape, createRng(seed)));
    expectClose(actual, recorded.float(`embedding-noise.${i}`), { within: WITHIN, what: "embedding-noise" });
  });
});
