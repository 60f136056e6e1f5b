/** How a script for diffusers takes the base's steps on the distilled schedule by another solver than that schedule's: by formula. */
import { RequestError } from "../errors.js";
import type { Prediction, StepRow } from "../sampling/index.js";

/** Functions of the network's output that give predicted x0 and noise at latents x = a x0 + s ε. */
const PREDICTED: Partial<Record<Prediction, readonly [x0: string, noise: string]>> = {
  epsilon: ["(x - s * output) / a", "output"],
  v_prediction: ["a * x - s * output", "a * output + s * x"],
  sample: ["output", "(x - a * output) / s"],
};

/** The function that takes such a step. @throws RequestError for a prediction type that it has no formula for */
export function handOffLines([first]: readonly StepRow[]): string[] {
  if (!first) return [];
  const formulas = PREDICTED[first.prediction];
  if (!formulas) {
    throw new RequestError(`--as diffusers knows no hand-off of its own for ${first.prediction}; leave --handoff out`, {
      field: "handoff",
    });
  }
  const [x0, noise] = formulas;
  const { solver } = first;
  const clip = "clip" in solver && solver.clip !== null ? `.clamp(-${solver.clip}, ${solver.clip})` : "";
  const fresh = solver.kind === "lcm";
  return [
    `def hand_off(output, x, a, s, to_a, to_s${fresh ? ", generator" : ""}):  # ${fresh ? "draws new noise (LCM)" : "keeps the predicted noise (DDIM, eta 0)"}`,
    `    x0 = ${clip === "" ? x0 : `(${x0})${clip}`}`,
    `    noise = ${fresh ? "torch.randn(shape, generator=generator).to(device)" : noise}`,
    "    return to_a * x0 + to_s * noise",
    "",
    "",
  ];
}

/** Lines that take the rows, which come first in the plan. */
export function handOffSteps(rows: readonly StepRow[]): string[] {
  return rows.flatMap(({ model, guidance, timestep, at, to, solver }) => [
    `output = predict("${model}", x, torch.tensor(${timestep}, device=device), ${guidance}, text)`,
    `x = hand_off(output, x, ${at.alpha}, ${at.sigma}, ${to.alpha}, ${to.sigma}${solver.kind === "lcm" ? ", generator" : ""})`,
  ]);
}
