import { describe, expect, it } from "vitest";
import { z } from "zod";
import { PAIRS } from "../../src/catalogue/index.js";
import { planFor } from "../../src/generate/index.js";
import { knownPair } from "../../src/open/index.js";
import { advance, initialLatents, type SolverState } from "../../src/sampling/index.js";
import { createRng, type FloatTensor, stack } from "../../src/tensor/index.js";
import { description, farthest, tensors } from "../support/parity.js";

const schema = z.object({
  shape: z.array(z.number()),
  seeds: z.object({ latents: z.number(), noise: z.number(), outputs: z.number() }),
  cases: z.array(z.object({ name: z.string(), timesteps: z.array(z.number()) })),
});

describe("distilled schedules of the named pairs equal diffusers'", async () => {
  const { cases, seeds, shape } = description("families", schema);
  const recorded = await tensors("families");
  const known = PAIRS.flatMap((row) => {
    const source = knownPair(row);
    return source ? [{ name: row.name, source }] : [];
  });

  it("all of them are recorded", () => {
    expect(cases.map((c) => c.name)).toEqual(known.map((k) => k.name));
  });

  it.each(cases)("$name", ({ name, timesteps }) => {
    const source = known.find((k) => k.name === name)?.source;
    if (!source) throw new Error(`no pair ${name}`);
    const plan = planFor(source, { mode: "distilled" });
    const rng = createRng(seeds.noise);
    let xt = initialLatents(plan, createRng(seeds.latents).randn(shape));
    let state: SolverState;
    const latents: FloatTensor[] = [xt];
    const called: number[] = [];
    for (const [i, row] of plan.rows.entries()) {
      if (row.kind !== "step") throw new Error("a distilled plan has steps only");
      called.push(row.timestep);
      ({ xt, state } = advance(row, { xt, output: createRng(seeds.outputs + i).randn(shape), rng, state }));
      latents.push(xt);
    }
    expect(called).toEqual(timesteps);
    expect(farthest(stack(latents).data, recorded.float(name).data)).toBeLessThan(2e-5);
  });
});
