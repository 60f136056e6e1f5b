/**
 * The anchor of DP-DMD (Wu et al. 2026, arXiv 2602.03139) at inference: the base takes the first K steps of its own schedule, and the latents
 * then go on along the average velocity of those steps, from the initial noise to the level of a distilled row. The paper trains a
 * distilled model's first step to predict this velocity; here the base is asked for it.
 */
import { RequestError } from "../errors.js";
import type { NoiseLevel } from "./level.js";
import { type LinearSpec, linearStep, type SolverStep } from "./solver-spec.js";

type Step = Pick<SolverStep, "at" | "to" | "solver">;

/**
 * The rows of the first `count` steps of a base, the last of which jumps to `target`.
 *
 * With x̃ = x / (α + σ) and s = σ / (α + σ), which turn any schedule into a flow, the jump is
 * x̃' = x̃_0 + (s' − s_0) (x̃_K − x̃_0) / (s_K − s_0): linear in the initial latents and in those of the last step.
 * @throws RequestError when the schedule has fewer steps, or a step that draws noise, clips, or calls the network twice
 */
export function anchored<S extends Step>(base: readonly S[], count: number, target: NoiseLevel): readonly S[] {
  const rows = base.slice(0, count);
  const [first, last] = [rows[0], rows.at(-1)];
  if (!first || !last || rows.length < count) {
    throw new RequestError(`anchor is ${count}; expected an integer from 1 to ${base.length}, the steps of the base`, {
      field: "anchor",
    });
  }
  const [start, end] = [first.at, last.to];
  const length = (share(target) - share(start)) / (share(end) - share(start));
  const [ofStart, ofEnd] = [(size(target) / size(start)) * (1 - length), (size(target) / size(end)) * length];
  return rows.map((row, i): S => {
    const own = linearOf(row);
    const solver = i === 0 ? { ...own, keeps: true } : own;
    if (i < count - 1) return { ...row, solver };
    return { ...row, to: target, solver: jump(solver, ofStart, ofEnd, count === 1) };
  });
}

const size = ({ alpha, sigma }: NoiseLevel): number => alpha + sigma;
const share = ({ alpha, sigma }: NoiseLevel): number => sigma / (alpha + sigma);

/** A step followed by the sum of the initial latents and its result, with these weights. `isOnly`: its own latents are the initial ones. */
function jump(step: LinearSpec, ofStart: number, ofEnd: number, isOnly: boolean): LinearSpec {
  return {
    ...step,
    method: `${step.method}, anchor`,
    xt: ofEnd * step.xt + (isOnly ? ofStart : 0),
    kept: isOnly ? 0 : ofStart,
    outputs: step.outputs.map((weight) => ofEnd * weight),
    keeps: false,
  };
}

/** A step as weights of the latents and the predictions. */
function linearOf({ solver, at, to }: Step): LinearSpec {
  if (solver.kind === "linear" && !solver.open && solver.kept === 0 && !solver.corrector && !solver.draws)
    return solver;
  const isPlain = solver.kind === "euler" || (solver.kind === "ddim" && !solver.draws && solver.clip === null);
  if (isPlain) {
    // α' x0 + σ' ε with ε = (x − α x0) / σ.
    const xt = to.sigma / at.sigma;
    return linearStep({ method: solver.kind, of: "x0", xt, outputs: [to.alpha - xt * at.alpha] });
  }
  const name = solver.kind === "linear" ? solver.method : solver.kind;
  throw new RequestError(
    `--anchor needs steps of one model call, without new noise and without clip_sample; the base's are ${name}; --base-scheduler euler has such steps`,
    { field: "anchor" },
  );
}
