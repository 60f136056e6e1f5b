/** Recorded runs of single networks, and how outputs are held against them. */
import { expect } from "vitest";
import { z } from "zod";
import { inputSchema } from "./inputs.js";
import type { Outputs } from "./network.js";
import { expectClose, NETWORK, type Recorded } from "./parity.js";

export const networkSchema = z.object({
  component: z.string(),
  runs: z.array(
    z.object({
      inputs: z.record(z.string(), inputSchema),
      outputs: z.record(z.string(), z.object({ shape: z.array(z.number()), stride: z.number() })),
    }),
  ),
});

export type NetworkRun = z.output<typeof networkSchema>["runs"][number];

/** Holds the outputs of run `i` against what was recorded. */
export function expectOutputs(outputs: Outputs, run: NetworkRun, i: number, recorded: Recorded): void {
  expect(Object.keys(outputs)).toEqual(expect.arrayContaining(Object.keys(run.outputs)));
  for (const [key, { shape, stride }] of Object.entries(run.outputs)) {
    const actual = outputs[key];
    if (!actual) throw new Error(`no output ${key}`);
    expectClose(actual, recorded.float(`${i}/${key}`), { within: NETWORK, what: key, shape, stride });
  }
}
