/** Writes a plan as a Python script for diffusers. */
import { RequestError } from "../errors.js";
import { FAMILIES } from "../families/index.js";
import {
  choiceFor,
  type GenerateRequest,
  ownChoice,
  type PlanSource,
  planFor,
  planRequestFor,
  type SchedulerChoice,
} from "../generate/index.js";
import type { PairReference } from "../open/index.js";
import {
  addedVariance,
  type ModelName,
  makePlan,
  type Plan,
  type SamplerConfig,
  type StepRow,
  scalesLatents,
} from "../sampling/index.js";
import { adaptersOf } from "./diffusers-adapters.js";
import { decodeLines, encodeLines, type Facts, pipelineModule, predictLines } from "./diffusers-functions.js";
import { handOffLines, handOffSteps } from "./diffusers-handoff.js";
import { isOneFile, modelsOf } from "./diffusers-models.js";
import { SAVE_LINES, WEIGHTS_LINES } from "./diffusers-parts.js";
import { flowScript } from "./flow-script.js";
import { refuseOwnMethods } from "./own-methods.js";
import { python, text } from "./python.js";
import { readSource } from "./read-source.js";

/** Consecutive rows run by one scheduler object. */
interface Segment {
  /** Variable of the scheduler object, which several segments may share. */
  readonly variable: string;
  readonly scheduler: string;
  readonly classes: readonly string[];
  /** Its latents are x / α. */
  readonly scaled: boolean;
  readonly setTimesteps: string;
  /** Index of the first row in the scheduler's timesteps. */
  readonly first: number;
  readonly rows: readonly StepRow[];
  readonly eta: number | undefined;
}

/** Consecutive rows of the base on the distilled schedule that another solver than the schedule's takes, by formula. */
interface HandOff {
  readonly variable: null;
  readonly rows: readonly StepRow[];
}

/**
 * Writes a script that generates the images of a request with diffusers: the same noise, timesteps and models in every row, so the
 * same latents up to rounding in float32. Reads headers of files, to know which names their tensors have.
 * @param reference text encoders and decoder of the source, where they are not the base's; LoRAs and textual inversions
 * @throws RequestError for a plan that no diffusers scheduler supports, a prompt syntax other than plain, LoRAs that diffusers does not load
 */
export async function diffusersScript(
  source: PlanSource,
  request: GenerateRequest,
  reference: PairReference = {},
): Promise<string> {
  checkRequest(request);
  refuseOwnMethods("diffusers", request);
  const plan = planFor(source, request);
  if (FAMILIES[source.family].denoiser.folder === "transformer") return flowScript(source, request, reference, plan);
  checkTrueGuidance(request);
  const parts = partsOf(source, request, plan);
  const segments = parts.filter((part): part is Segment => part.variable !== null);
  const schedulers = new Map(segments.map((s) => [s.variable, s.scheduler]));
  const handOff = parts.find((part) => part.variable === null);
  const rows = parts.flatMap((s) => s.rows);
  const usesDistilled = rows.some((r) => r.model === "distilled");
  const named = [...(reference.adapters ?? []), ...(request.adapters ?? [])].length > 0;
  const models = await modelsOf(await readSource(source), reference, { usesDistilled, named });
  const adapters = await adaptersOf({
    ...{ family: source.family, reference, request, distilled: models.distilled },
    models: [...new Set(rows.map((r) => r.model))],
  });
  const load = [...models.load, ...adapters.load];
  const functions = [...(load.some((l) => l.includes("weights(")) ? WEIGHTS_LINES : []), ...adapters.functions];
  const facts: Facts = {
    sdxl: FAMILIES[source.family].textEncoders.length > 1,
    guided: rows.some((r) => r.guidance > 1),
    rescale: Math.max(...rows.map((r) => r.guidanceRescale)),
    embedded: rows.some((r) => source[r.model]?.embedsGuidance === true),
    clipSkip: request.clipSkip ?? 0,
    zeros: request.negative === undefined,
    adapted: adapters.scales !== null,
  };
  const classes = [...models.classes, ...segments.flatMap((s) => s.classes)];
  const { prompts, seeds = [0], negative, size = source.row?.size } = request;
  const lines = [
    `"""${heading(plan)} Written by \`variegate plan --as diffusers\`."""`,
    "",
    "import torch",
    `from diffusers import ${[...new Set(classes)].sort().join(", ")}`,
    ...(facts.rescale > 0 ? [`from ${pipelineModule(facts)} import rescale_noise_cfg`] : []),
    ...new Set([...models.imports, ...adapters.imports]),
    "",
    `prompts = [${prompts.map(text).join(", ")}]`,
    `seeds = [${seeds.join(", ")}]`,
    ...(facts.guided ? [`negative = ${negative === undefined ? "None" : text(negative)}`] : []),
    'device = "cuda" if torch.cuda.is_available() else "cpu"',
    "",
    ...(functions.length > 0 ? ["", ...functions] : []),
    ...load,
    ...[...schedulers].map(([variable, scheduler]) => `${variable} = ${scheduler}`),
    size
      ? `width, height = ${size.width}, ${size.height}`
      : "width = height = pipe.unet.config.sample_size * pipe.vae_scale_factor",
    "shape = [1, pipe.unet.config.in_channels, height // pipe.vae_scale_factor, width // pipe.vae_scale_factor]",
    "",
    "",
    ...encodeLines(facts),
    "",
    "",
    ...predictLines(facts, models.pick),
    "",
    "",
    ...(segments.some(drawsPath) ? BROWNIAN_LINES : []),
    ...(handOff ? handOffLines(handOff.rows) : []),
    "@torch.no_grad()",
    "def generate(prompt, seed):",
    `    text = ${facts.adapted ? "{model: encode(prompt, model) for model in scales}" : "encode(prompt)"}`,
    "    generator = torch.Generator().manual_seed(seed)",
    `    x = ${plan.initNoiseScale === 1 ? "" : `${plan.initNoiseScale} * `}torch.randn(shape, generator=generator).to(device)`,
    ...parts
      .flatMap((part) => (part.variable === null ? handOffSteps(part.rows) : segmentLines(part, plan)))
      .map((line) => `    ${line}`),
    ...decodeLines(models.normalised).map((line) => `    ${line}`),
    ...SAVE_LINES,
  ];
  return `${lines.join("\n")}\n`;
}

/** @throws RequestError for guidance that the pipelines of UNets do not have */
function checkTrueGuidance({ trueGuidance = 1 }: GenerateRequest): void {
  if (trueGuidance <= 1) return;
  throw new RequestError("--as diffusers: pipelines of UNets with guidance as an input have no --true-guidance", {
    field: "trueGuidance",
  });
}

/** @throws RequestError for fields that no script has */
function checkRequest({ promptSyntax = "plain" }: GenerateRequest): void {
  if (promptSyntax !== "plain") {
    throw new RequestError(
      `--as diffusers needs --prompt-syntax plain: diffusers' pipelines read the markup of ${promptSyntax} as text`,
      { field: "promptSyntax" },
    );
  }
}

function heading({ rows }: Plan): string {
  const steps = rows.map((r) => (r.kind === "renoise" ? "noise" : `${r.model} ${Math.round(r.timestep)}`));
  return `${steps.join(", ")}.`;
}

/** Splits rows by what takes them: one scheduler object for a shared schedule, two if the base has its own, or a formula. */
function partsOf(source: PlanSource, request: GenerateRequest, plan: Plan): (Segment | HandOff)[] {
  const asked = planRequestFor(source, request);
  const skip = asked.skip ?? 0;
  const steps = plan.rows.filter((r): r is StepRow => r.kind === "step");
  /** Rows from the `first` on of a model's schedule; `own`: of one that the base has for itself. */
  const segment = ({
    model,
    config,
    first,
    rows,
    own = false,
    variable = "scheduler",
  }: Pick<Segment, "first" | "rows"> & {
    readonly model: ModelName;
    readonly config: SamplerConfig;
    readonly own?: boolean;
    readonly variable?: string;
  }): Segment => ({
    variable,
    ...schedulerLine(source, model, own ? ownChoice(source, request) : choiceFor(source, request, model)),
    scaled: scalesLatents(config.scheduler),
    setTimesteps: setTimesteps(config),
    first,
    rows,
    eta: config.eta,
  });
  const fromBase = (rows: readonly StepRow[], config: SamplerConfig, own: boolean) =>
    segment({ model: "base", config, own, first: rowsBefore(config, skip), rows });
  if (asked.mode === "base") return [fromBase(steps, asked.base, false)];
  const { distilled: config } = asked;
  if (asked.mode === "distilled" || !("scheduler" in asked.base)) {
    const before = rowsBefore(config, skip);
    const shared = (rows: readonly StepRow[], first: number) =>
      segment({ model: "distilled", config, first: before + first, rows });
    const { handoff = "schedule" } = asked.mode === "hybrid" && !("scheduler" in asked.base) ? asked.base : {};
    if (handoff !== "schedule") return sharedParts(steps, shared);
    checkShared(steps);
    return [shared(steps, 0)];
  }
  const base = steps.filter((r) => r.model === "base");
  const rows = steps.slice(base.length);
  const k = typeof asked.switch === "number" ? asked.switch : 0;
  const [left, variable] = base.length > 0 ? [k, "then"] : [skip, "scheduler"];
  return [
    ...(base.length > 0 ? [fromBase(base, asked.base, true)] : []),
    ...(rows.length > 0
      ? [segment({ model: "distilled", config, first: rowsBefore(config, left), rows, variable })]
      : []),
  ];
}

/** Rows of one schedule whose base rows are hand-offs by formula. @throws RequestError where a distilled row has a history that they are part of */
function sharedParts(
  steps: readonly StepRow[],
  shared: (rows: readonly StepRow[], first: number) => Segment,
): (Segment | HandOff)[] {
  const late = steps.find(({ solver }) => solver.kind === "linear" && solver.outputs.length > 1);
  if (late) {
    throw new RequestError("--as diffusers: the distilled scheduler has a history; give --handoff schedule", {
      field: "handoff",
    });
  }
  const starts = [...steps.keys()].filter((i) => i === 0 || steps[i]?.model !== steps[i - 1]?.model);
  return starts.map((start, i) => {
    const rows = steps.slice(start, starts[i + 1]);
    return rows[0]?.model === "base" ? { variable: null, rows } : shared(rows, start);
  });
}

/** Rows of the first steps of a schedule: a step that calls the network twice has two. */
function rowsBefore(config: SamplerConfig, steps: number): number {
  if (steps > 0 && config.scheduler.className === "LMSDiscreteScheduler") {
    throw new RequestError(
      "--as diffusers: LMSDiscreteScheduler cannot start midway in diffusers, where its order follows the step",
    );
  }
  const rowsFrom = (skip: number) => makePlan({ mode: "base", base: config, skip }).rows.length;
  return steps === 0 ? 0 : rowsFrom(0) - rowsFrom(steps);
}

/** Classes whose set_timesteps takes a list. */
const TAKES_TIMESTEPS: ReadonlySet<string> = new Set([
  "DDPMScheduler",
  "DPMSolverMultistepScheduler",
  "DPMSolverSinglestepScheduler",
  "EulerDiscreteScheduler",
  "HeunDiscreteScheduler",
  "LCMScheduler",
  "TCDScheduler",
]);

/** Arguments of set_timesteps. @throws RequestError for timesteps that the class does not take */
function setTimesteps({ scheduler: { className }, timesteps, steps }: SamplerConfig): string {
  if (!timesteps) return String(steps);
  if (TAKES_TIMESTEPS.has(className)) return `timesteps=[${timesteps.join(", ")}]`;
  throw new RequestError(
    `--as diffusers: ${className} takes no list of timesteps in diffusers; give --steps ${timesteps.length}`,
  );
}

/** Checks that rows on one scheduler object have one prediction type. @throws RequestError */
function checkShared(rows: readonly StepRow[]): void {
  const [first] = rows;
  const other = rows.find((r) => r.prediction !== first?.prediction);
  if (!other) return;
  throw new RequestError(
    `--as diffusers: the base predicts ${first?.prediction} and the distilled model ${other.prediction} on one schedule, which no diffusers scheduler supports; use --base-steps for a separate schedule of the base`,
  );
}

function schedulerLine(
  source: PlanSource,
  which: ModelName,
  { name, fields }: SchedulerChoice,
): Pick<Segment, "scheduler" | "classes"> {
  const changed = Object.entries(fields).map(([key, value]) => `, ${key}=${python(value)}`);
  const { base, distilled } = source;
  const config = (which === "distilled" && distilled ? distilled : base).scheduler.config;
  const own = config === base.scheduler.config && !isOneFile(base);
  const from = own ? "pipe.scheduler.config" : python(config);
  if (from === "pipe.scheduler.config" && name === undefined && changed.length === 0) {
    return { scheduler: "pipe.scheduler", classes: [] };
  }
  const chosen = name ?? String(config["_class_name"]);
  return { scheduler: `${chosen}.from_config(${from}${changed.join("")})`, classes: [chosen] };
}

function segmentLines(s: Segment, plan: Plan): string[] {
  const scheduler = s.variable;
  const at = plan.rows.findIndex((r) => r.kind === "step" && r === s.rows[0]);
  const noise = plan.rows[at - 1];
  const lines: string[] = [];
  if (noise?.kind === "renoise") {
    const kept = noise.to.alpha / noise.from.alpha;
    const fresh = Math.sqrt(addedVariance(noise.from, noise.to));
    lines.push(
      `# re-noise to timestep ${noise.to.t}`,
      `x = ${kept} * x + ${fresh} * torch.randn(shape, generator=generator).to(device)`,
    );
  }
  const [from, to] = [s.rows[0]?.at, s.rows.at(-1)?.to];
  lines.push(`${scheduler}.set_timesteps(${s.setTimesteps})`);
  if (s.scaled && from) lines.push(`x = x * ${1 / from.alpha}  # this scheduler's latents are scaled by 1 / alpha`);
  if (drawsPath(s)) lines.push(`${scheduler}.noise_sampler = brownian(generator)`);
  const last = s.first + s.rows.length;
  lines.push(
    `for t, (model, guidance) in zip(${scheduler}.timesteps[${s.first}:${last}], [${s.rows.map((r) => `("${r.model}", ${r.guidance})`).join(", ")}]):`,
    `    output = predict(model, ${scheduler}.scale_model_input(x, t), t, guidance, text)`,
    `    x = ${scheduler}.step(output, t, x${stepOptions(s)}).prev_sample`,
  );
  if (s.scaled && to && to.sigma > 0) lines.push(`x = x * ${to.alpha}`);
  return lines;
}

/** Keyword arguments of a scheduler's step. PNDM, Euler and most multistep solvers draw no noise. */
function stepOptions({ rows, eta }: Segment): string {
  const kind = rows[0]?.solver.kind;
  const draws = kind === "linear" ? rows.some(({ solver }) => drawsOwn(solver)) : kind !== "pndm";
  const takesEta = kind === "ddim" || kind === "tcd";
  return `${draws ? ", generator=generator" : ""}${takesEta ? `, eta=${eta ?? 0}` : ""}`;
}

const drawsOwn = (solver: StepRow["solver"]): boolean =>
  solver.kind === "linear" && solver.draws && solver.method !== BROWNIAN;

/** Method whose scheduler draws from torchsde in diffusers, which takes no generator. */
const BROWNIAN = "dpm++ sde";
const drawsPath = ({ rows }: Segment): boolean =>
  rows.some(({ solver }) => solver.kind === "linear" && solver.method === BROWNIAN);

const BROWNIAN_LINES = [
  "def brownian(generator):  # noise of DPM++ SDE: both calls of a step follow one path",
  "    half = []",
  "",
  "    def noise(sigma, sigma_next):",
  "        z = torch.randn(shape, generator=generator).to(device)",
  "        if not half:",
  "            half.append((sigma_next, z))",
  "            return z",
  "        middle, first = half.pop()",
  "        share = (sigma - middle) / (sigma - sigma_next)",
  "        return share**0.5 * first + (1 - share) ** 0.5 * z",
  "",
  "    return noise",
  "",
  "",
];
