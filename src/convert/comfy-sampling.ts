/** How ComfyUI's sampler nodes run the rows of a plan: sigmas and a sampler for each run of rows. Refuses what they cannot run. */
import { RequestError } from "../errors.js";
import {
  comfyName,
  karrasSigma,
  type ModelName,
  type NoiseLevel,
  type Plan,
  type PlanRequest,
  type RenoiseRow,
  type SamplerConfig,
  type StepRow,
} from "../sampling/index.js";

/** Rows that one sampler node runs: consecutive, with one model and one guidance scale. */
export interface SamplerRun {
  readonly kind: "sample";
  readonly model: ModelName;
  readonly guidance: number;
  readonly prediction: StepRow["prediction"];
  /** Name of the sampler in ComfyUI. */
  readonly sampler: string;
  /** σ of the latents before each step, and after the last. */
  readonly sigmas: readonly number[];
}

/** Fresh noise with this standard deviation, added to latents x / α. */
export interface NoiseRun {
  readonly kind: "noise";
  readonly sigma: number;
}

/** A plan for ComfyUI, whose latents are x / α = x0 + σ ε. */
export interface ComfyPlan {
  /** Standard deviation of the initial latents. */
  readonly initial: number;
  readonly runs: readonly (SamplerRun | NoiseRun)[];
  /** Name and number of steps of ComfyUI's scheduler that gives the sigmas of all runs; null where none does. */
  readonly schedule: { readonly name: "simple"; readonly steps: number } | null;
  /** Respects in which ComfyUI's latents differ from those of the plan, as sentences. */
  readonly differences: readonly string[];
}

const refuse = (problem: string, instead: string): never => {
  throw new RequestError(`--as comfyui: ${problem}; ${instead}`);
};

/** Schedulers that every run has a sampler for in ComfyUI. */
const INSTEAD = "use --scheduler euler, euler_ancestral, ddim, lcm, heun or dpmpp_2m, or --as diffusers";

/**
 * The plan of a request for ComfyUI.
 * @throws RequestError for what its sampler nodes cannot run
 */
export function comfyPlan(asked: PlanRequest, plan: Plan): ComfyPlan {
  const steps = plan.rows.filter((row): row is StepRow => row.kind === "step");
  for (const row of steps) checkRow(row);
  const runs: (SamplerRun | NoiseRun)[] = [];
  let rows: StepRow[] = [];
  const close = () => {
    const [first] = rows;
    if (first) runs.push(samplerRun(configOf(asked, first.model), handoffOf(asked, first.model), first, rows));
    rows = [];
  };
  for (const row of plan.rows) {
    if (row.kind === "renoise") {
      close();
      runs.push({ kind: "noise", sigma: addedSigma(row) });
      continue;
    }
    const before = rows.at(-1);
    if (before && (before.model !== row.model || before.guidance !== row.guidance)) close();
    rows.push(row);
  }
  close();
  const start = steps[0]?.at ?? { t: 0, alpha: 1, sigma: 0 };
  const initial = plan.initNoiseScale / start.alpha;
  return { initial, runs, schedule: scheduleOf(initial, runs), differences: differencesOf(steps, runs) };
}

/** Samplers that add noise. */
const STOCHASTIC = /ancestral|sde|lcm|ddpm/;

function differencesOf(steps: readonly StepRow[], runs: ComfyPlan["runs"]): string[] {
  const drawing = runs.flatMap((run) => (run.kind === "sample" && STOCHASTIC.test(run.sampler) ? [run.sampler] : []));
  const fractional = steps.find(({ timestep }) => !Number.isInteger(timestep));
  const rounded = steps.find(({ at, from }) => at.t !== from.t);
  return [
    drawing.length > 0 &&
      `the noise that ${drawing[0]} adds in a step is drawn by ComfyUI: images differ from those of generate by chance`,
    fractional &&
      `ComfyUI calls networks at whole timesteps, this plan at ${fractional.timestep.toFixed(1)}: images differ slightly`,
    rounded &&
      `a step ends at timestep ${rounded.from.t}, the next begins at ${rounded.at.t}; ComfyUI joins them: images differ slightly`,
  ].filter((text) => typeof text === "string");
}

/** σ of the noise that a re-noise row adds to x / α. */
const addedSigma = ({ from, to }: RenoiseRow): number => Math.sqrt(karrasSigma(to) ** 2 - karrasSigma(from) ** 2);

/** Sampler config of a model's rows: a base without its own schedule runs the distilled model's. */
function configOf(asked: PlanRequest, model: ModelName): SamplerConfig {
  if (asked.mode === "base") return asked.base;
  return asked.mode === "hybrid" && model === "base" && "scheduler" in asked.base ? asked.base : asked.distilled;
}

/** ComfyUI's samplers of the steps that a base takes on the distilled schedule by another solver than that schedule's. */
const HANDOFFS = { ddim: "ddim", lcm: "lcm" } as const;

/** Sampler of a model's rows that are such hand-offs; undefined where the schedule's own solver takes them. */
function handoffOf(asked: PlanRequest, model: ModelName): string | undefined {
  if (asked.mode !== "hybrid" || model !== "base" || "scheduler" in asked.base) return undefined;
  const { handoff = "schedule" } = asked.base;
  return handoff === "schedule" ? undefined : HANDOFFS[handoff];
}

function samplerRun(
  { scheduler }: SamplerConfig,
  handoff: string | undefined,
  first: StepRow,
  rows: readonly StepRow[],
): SamplerRun {
  const { className, settings } = scheduler;
  if (settings.rescale_betas_zero_snr) {
    refuse("rescale_betas_zero_snr (zero terminal SNR) has other sigmas in ComfyUI", "use --as diffusers");
  }
  const sampler = handoff ?? comfyName(scheduler);
  const why = sampler === null ? "ComfyUI has no sampler of this kind" : DIFFERENT[sampler];
  if (sampler === null || why !== undefined) return refuse(`${className}: ${why}`, INSTEAD);
  checkHistory(className, rows);
  checkOrders(className, rows);
  const { model, guidance, prediction } = first;
  return { kind: "sample", model, guidance, prediction, sampler, sigmas: sigmasOf(className, rows) };
}

/** Samplers of ComfyUI whose steps are not those of diffusers' class of that name. */
const DIFFERENT: Readonly<Record<string, string>> = {
  uni_pc: "ComfyUI's uni_pc has other orders and ends at another noise level",
  deis: "ComfyUI's deis has other coefficients",
  lms: "ComfyUI's lms has another last step",
};

/** σ before each step, and after the last. The two calls of a step count once. @throws RequestError where a step ends elsewhere than the next begins */
function sigmasOf(className: string, rows: readonly StepRow[]): readonly number[] {
  const sigmas: number[] = [];
  for (const [i, row] of rows.entries()) {
    const before = rows[i - 1];
    if (before && !isOpen(before) && Math.abs(before.to.t - row.at.t) > 1) {
      refuse(
        `${className} ends a step at t ${before.to.t} and begins the next at t ${row.at.t}, which no sampler of ComfyUI does`,
        "give --steps instead of --timesteps, or use --as diffusers",
      );
    }
    checkTimestep(row);
    if (!before || !isOpen(before)) sigmas.push(karrasSigma(row.at));
  }
  const last = rows.at(-1);
  return last ? [...sigmas, karrasSigma(last.to)] : sigmas;
}

const isOpen = ({ solver }: StepRow): boolean => solver.kind === "linear" && solver.open;

/** @throws RequestError for a multistep solver whose history begins before its run: a sampler node begins without one */
function checkHistory(className: string, rows: readonly StepRow[]): void {
  const early = rows.some(
    ({ solver }, i) =>
      solver.kind === "linear" &&
      (solver.outputs.length > i + 1 || (i === 0 && (solver.kept !== 0 || solver.corrector !== null))),
  );
  if (!early) return;
  refuse(
    `${className} continues from predictions of the other model, and each sampler node of ComfyUI begins without a history`,
    "use a one-step scheduler (euler, lcm), or --base-steps for a separate schedule of the base",
  );
}

/** @throws RequestError for DPM-Solver++ with another order than 2, or 1 in the first step and in one to a clean latent */
function checkOrders(className: string, rows: readonly StepRow[]): void {
  const other = rows.find(({ solver, to }, i) => {
    const isMultistep = solver.kind === "linear" && /^dpm.*m\b/.test(solver.method);
    return isMultistep && solver.outputs.length !== (i === 0 || to.sigma === 0 ? 1 : 2);
  });
  if (!other) return;
  refuse(
    `${className} takes the step at timestep ${other.timestep} with another order than ComfyUI's dpmpp_2m`,
    'leave final_sigmas_type at "zero" in the scheduler config, or use --as diffusers',
  );
}

/** A σ as ManualSigmas reads it, which knows no exponents. */
export const decimal = (sigma: number): string => sigma.toFixed(9).replace(/\.?0+$/, "");

/** What no sampler node does, as the row that has it. */
const REFUSED: readonly (readonly [(row: StepRow) => boolean, problem: string, instead: string])[] = [
  [
    ({ prediction }) => prediction === "flow_prediction",
    "flow-matching models are not supported",
    "use --as diffusers",
  ],
  [
    ({ prediction }) => prediction.startsWith("edm"),
    "models in the EDM formulation are not supported",
    "use --as diffusers",
  ],
  [
    ({ guidanceRescale }) => guidanceRescale > 0,
    "ComfyUI rescales guidance by another formula",
    "leave --guidance-rescale out",
  ],
  [({ solver }) => solver.kind === "tcd", "ComfyUI has no TCD sampler", "use --scheduler lcm, or --as diffusers"],
  [({ solver }) => solver.kind === "pndm", "ComfyUI has no PNDM (PLMS) sampler", INSTEAD],
  [
    ({ solver }) => solver.kind === "ddim" && solver.noise > 0,
    "ComfyUI's ddim sampler has no eta",
    "leave --eta out, or use --scheduler euler_ancestral",
  ],
  [
    ({ solver }) => "clip" in solver && solver.clip !== null,
    "clip_sample of the scheduler config has no counterpart in ComfyUI",
    "use --as diffusers",
  ],
  [
    ({ solver }) => solver.kind === "lcm" && solver.skip > 1e-3,
    "a timestep is so small that LCM's boundary scaling matters, which ComfyUI's lcm sampler leaves out",
    "use larger --timesteps, or --as diffusers",
  ],
];

function checkRow(row: StepRow): void {
  for (const [has, problem, instead] of REFUSED) if (has(row)) refuse(problem, instead);
}

/** ComfyUI's σ of every training timestep: β from 0.00085 to 0.012, linear in √β (Rombach et al. 2022). */
const TABLE: readonly number[] = (() => {
  const [first, last] = [Math.sqrt(0.00085), Math.sqrt(0.012)];
  let product = 1;
  return Array.from({ length: 1000 }, (_, t) => {
    product *= 1 - (first + ((last - first) * t) / 999) ** 2;
    return Math.sqrt((1 - product) / product);
  });
})();

/** Timestep that ComfyUI passes to the network at a level: the nearest one in log σ. */
function nearestTimestep(level: NoiseLevel): number {
  const distances = TABLE.map((sigma) => Math.abs(Math.log(karrasSigma(level) / sigma)));
  return distances.indexOf(Math.min(...distances));
}

/** @throws RequestError where ComfyUI passes another timestep to the network. It has whole ones only. */
function checkTimestep({ at, timestep }: StepRow): void {
  const theirs = nearestTimestep(at);
  if (Math.abs(theirs - timestep) < 1) return;
  refuse(
    `at σ ${karrasSigma(at).toPrecision(4)} ComfyUI calls the network at timestep ${theirs}, this plan at ${timestep}: the noise schedule is not that of Stable Diffusion`,
    "use --as diffusers",
  );
}

/** Samplers of ComfyUI's KSampler nodes that keep the scheduler's sigmas as they are, and no history from step to step. */
const PLAIN: ReadonlySet<string> = new Set(["euler", "ddim", "euler_ancestral", "lcm", "ddpm"]);
const CLOSE = 1e-5;
const near = (a: number, b: number): boolean => Math.abs(a - b) <= CLOSE * Math.max(a, b);

/** The scheduler of KSampler nodes whose sigmas are those of all runs: `simple` takes every (1000 / n)-th from the top. */
function scheduleOf(initial: number, runs: ComfyPlan["runs"]): ComfyPlan["schedule"] {
  const samplers = runs.flatMap((run) => (run.kind === "sample" ? [run] : []));
  const names = new Set(samplers.map(({ sampler }) => sampler));
  const [name = ""] = names;
  if (samplers.length < runs.length || names.size > 1 || !PLAIN.has(name)) return null;
  const sigmas = [...samplers.flatMap((run) => run.sigmas.slice(0, -1)), samplers.at(-1)?.sigmas.at(-1) ?? 0];
  const steps = sigmas.length - 1;
  const simple = [...sigmas.keys()].map((i) => (i < steps ? (TABLE[999 - Math.floor((i * 1000) / steps)] ?? 0) : 0));
  // KSampler nodes scale noise at the highest σ by √(1 + σ²), which is unit noise in latents x.
  const unit = near(initial, Math.sqrt(1 + (sigmas[0] ?? 0) ** 2));
  return unit && sigmas.every((sigma, i) => near(sigma, simple[i] ?? 0)) ? { name: "simple", steps } : null;
}
