/** Rows of an experiment for every diversity method over its settings, on one pair and within a budget of model calls. */
import { RequestError } from "../errors.js";
import { callsPerImage, type PlanSource, planFor } from "../generate/index.js";
import { METHODS, readMethod } from "../sampling/index.js";
import type { DefinitionInput } from "./definition.js";

type Row = DefinitionInput["rows"][number];
type Sampling = Row["sampling"];

/** Settings of each method that are compared: a weak, the default and a strong one. Combinations that a pair cannot run are left out. */
const SETTINGS: readonly string[] = [
  ...["cads:scale=0.1", "cads", "cads:scale=0.5"],
  ...["embedding-noise:strength=0.5", "embedding-noise", "embedding-noise:strength=4"],
  ...["interval", "late-guidance", "apg"],
  ...["particles", "particles:scale=2", "particles:space=clip", "dpp", "rke", "siblings", "siblings:scale=0.5"],
  ...["low-frequency", "low-frequency:strength=1", "spread", "antithetic", "farthest"],
  ...["contrastive-noise:iterations=1", "contrastive-noise"],
  ...["partial-lora", "partial-lora:scale=0"],
];

/** Schedule of an anchor's steps: evenly spaced, as its teacher's. */
const ODE = { baseScheduler: "EulerDiscreteScheduler", baseSpacing: "trailing" } as const;

/** Choices of seeds that are compared: how many times as many seeds run the first step. */
const CHOICES = [2, 4] as const;

/**
 * Rows for all methods on the distilled model and on the hybrid of one step, then hand-offs and choices of seeds.
 * @param budget most model calls of an image
 */
export function methodRows(
  pair: PlanSource,
  { budget = Number.POSITIVE_INFINITY }: { readonly budget?: number } = {},
): Row[] {
  const hybrid: Sampling = { mode: "hybrid", switch: 1 };
  const modes = [
    { name: "distilled", sampling: { mode: "distilled" } as Sampling },
    { name: "hybrid", sampling: hybrid },
  ];
  const methods = modes.flatMap(({ name, sampling }) =>
    SETTINGS.map(
      (text): Row => ({ name: `${name}, ${text}`, sampling: { ...sampling, diversity: [readMethod(text)] } }),
    ),
  );
  const handoffs = [1, 2, 3].flatMap((k) =>
    (["lcm", "ddim"] as const).map((handoff): Row => {
      return { name: `hybrid, k = ${k}, ${handoff}`, sampling: { ...hybrid, switch: k, handoff } };
    }),
  );
  const ratio: Row = {
    name: "hybrid, 2 : 1",
    sampling: { mode: "hybrid", ratio: { base: 2, distilled: 1 }, baseSpacing: "trailing" },
  };
  const anchors = [2, 5].map((anchor): Row => {
    return { name: `hybrid, anchor ${anchor} of 30`, sampling: { ...hybrid, anchor, ...ODE } };
  });
  const guided: Row = { name: "hybrid, base guidance 3", sampling: { ...hybrid, baseGuidance: 3 } };
  const choices = CHOICES.map((times): Row => {
    return { name: `hybrid, choose 1 of ${times}`, sampling: { ...hybrid, choose: { keep: 8, of: 8 * times } } };
  });
  return [...handoffs, ratio, ...anchors, guided, ...choices, ...methods].filter(({ sampling }) => {
    const calls = callsOf(pair, sampling);
    return calls !== null && calls <= budget + 1e-9;
  });
}

/** Model calls of an image; null where the pair cannot run it. */
function callsOf(pair: PlanSource, { diversity, ...sampling }: Sampling): number | null {
  const lacksLora = diversity?.some(({ method }) => METHODS[method].needs.includes("lora")) && !pair.distilled?.isLora;
  if (lacksLora) return null;
  try {
    return callsPerImage(pair, planFor(pair, { ...sampling, ...(diversity && { diversity }) }));
  } catch (error) {
    if (error instanceof RequestError) return null;
    throw error;
  }
}
