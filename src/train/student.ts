/** A model of few steps while it is trained: its noise levels, its runs, and its form as the distilled model of a pair. */
import { RequestError } from "../errors.js";
import { type Model, type Pair, type PlanSource, planFor } from "../generate/index.js";
import type { DenoiserShape, ImageSize } from "../models/index.js";
import { type Network, network } from "../networks/index.js";
import type { Tensors } from "../optim/index.js";
import { addNoise, type Prediction, type SamplingRequest, type StepRow } from "../sampling/index.js";
import type { FloatTensor } from "../tensor/index.js";
import { adapterOf } from "./lora.js";
import type { LossNetwork } from "./loss.js";
import { processOf, type StudentSampler } from "./process.js";
import { type Clean, cleanOf, type NoisyBatch, type Predict, type TrainedLevel, teacherGuidance } from "./teacher.js";
import { isLora, parameterInputs, type Trained } from "./trained.js";

/** What a request says of a student's runs. */
export interface StudentOptions {
  /** Default: those of the pair's own distilled model, else 4. */
  readonly steps?: number;
  /** Guidance of the base, which a student keeps as an input where the base has it. Default: the base's own. */
  readonly guidance?: number;
}

/**
 * How a student is run: steps that end at a noisy x0, by LCM for models that predict noise and by Euler along a flow, without classifier-free
 * guidance. A network that takes the guidance scale as an input gets that of the base.
 */
export const studentSampling = (
  pair: PlanSource,
  o: StudentOptions = {},
): SamplingRequest & StudentSampler & { readonly guidance: number } => ({
  mode: "distilled",
  ...processOf(pair).student(pair, o.steps),
  guidance: pair.base.embedsGuidance ? teacherGuidance(pair, o) : 0,
});

/** The steps of a student. */
export interface StudentSteps {
  readonly levels: readonly TrainedLevel[];
  /** What its network predicts. */
  readonly prediction: Prediction;
  /** A step keeps the noise that it predicts, as Euler's does. Default: noise is drawn anew. */
  readonly keepsNoise?: boolean;
}

/** @throws RequestError for a model that cannot run the student's scheduler */
export function studentSteps(
  pair: PlanSource,
  sampling: SamplingRequest & { readonly size?: ImageSize },
): StudentSteps {
  const { rows } = planFor({ ...pair, calibrated: null, distilled: { ...pair.base, isLora: false } }, sampling);
  const steps = rows.flatMap((row): StepRow[] => (row.kind === "step" ? [row] : []));
  const [first] = steps;
  if (!first) throw new RequestError("a distilled model needs a step");
  const levels = steps.map(({ timestep, at }): TrainedLevel => ({ timestep, level: at }));
  return { prediction: first.prediction, levels, keepsNoise: first.solver.kind === "euler" };
}

/** Outputs of a trained denoiser with these values of its parameters, for images of a size. @param guidance for networks that embed it */
export const predictor =
  (network: Pick<LossNetwork, "predict">, parameters: Tensors, size: ImageSize, guidance = 0): Predict =>
  ({ at, ...batch }) =>
    network.predict({ ...batch, timestep: at.map((a) => a.timestep), guidance, size, scale: 1 }, parameters);

/** The student before one of its steps, and what it makes of it. */
export interface StudentStep {
  readonly batch: NoisyBatch;
  /** Its outputs, and the x0 and ε that they stand for. */
  readonly outputs: readonly FloatTensor[];
  readonly clean: readonly Clean[];
}

/**
 * Runs the student to a step: after each step x0 is noised to the level of the next, anew or with the noise that was predicted.
 * @param noise noise of each step, the first of which are the initial latents: steps × B × [1, C, h, w]; where noise is kept, only these are read
 */
export async function studentRun(
  student: Predict,
  { levels, prediction, keepsNoise = false }: StudentSteps,
  {
    conditioning,
    noise,
    step,
    first = student,
  }: {
    readonly conditioning: NoisyBatch["conditioning"];
    readonly noise: readonly (readonly FloatTensor[])[];
    readonly step: number;
    /** Network of the first step: the base's in a hybrid run. Default: the student. */
    readonly first?: Predict;
  },
): Promise<StudentStep> {
  let latents = noise[0] ?? [];
  for (let i = 0; ; i++) {
    const at = levels[i];
    if (!at) throw new RangeError(`the student has ${levels.length} steps`);
    const batch = { latents, at: latents.map(() => at), conditioning };
    const outputs = await (i === 0 ? first : student)(batch);
    const clean = await cleanOf(async () => outputs, prediction, batch);
    if (i === step) return { batch, outputs, clean };
    const next = levels[i + 1]?.level ?? at.level;
    latents = clean.flatMap(({ x0, eps: predicted }, k) => {
      const eps = keepsNoise ? predicted : noise[i + 1]?.[k];
      return eps ? addNoise(x0, eps, next) : [];
    });
  }
}

/** The base with trained values as the distilled model of a pair. */
export interface Student {
  with(parameters: Tensors): Model;
  /** Releases networks of its own. */
  release(): Promise<void>;
}

export function openStudent({ base, engine }: Pair, trained: Trained): Student {
  if (isLora(trained))
    return {
      with: (parameters) => ({
        ...base,
        known: null,
        isDistilled: true,
        isLora: true,
        lora: adapterOf(trained, parameters),
      }),
      release: async () => {},
    };
  const { drawing } = parameterInputs(trained);
  const own = network<DenoiserShape>(
    "the distilled denoiser",
    engine.runtime,
    (shape, index) => base.denoiser.draw(shape, index),
    async () => drawing(await base.weights()),
    { precision: { compute: "float32", upcast: engine.upcast } },
  );
  return {
    with(parameters) {
      const fed: Network<DenoiserShape> = {
        ...own,
        run: (shape, feeds) => own.run(shape, { ...feeds, ...parameters }),
      };
      return { ...base, known: null, isDistilled: true, isLora: false, lora: null, network: fed };
    },
    release: () => own.release(),
  };
}
