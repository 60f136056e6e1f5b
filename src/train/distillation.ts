/** Distillation of the base to few steps as an objective: what each update draws, and what is kept beside the student. */
import { RequestError } from "../errors.js";
import { FAMILIES, factsOf } from "../families/index.js";
import type { Pair } from "../generate/index.js";
import { uniform } from "../metrics/index.js";
import type { Conditioning, ImageSize } from "../models/index.js";
import { adamw, averaged, clipped, type LearningRate, mixed, type Optimizer, type Tensors } from "../optim/index.js";
import { addNoise, CLEAN } from "../sampling/index.js";
import type { InputOf } from "../schema/index.js";
import { createRng, type FloatTensor, type Rng } from "../tensor/index.js";
import { consistencyBatch, HUBER, type Neighbours, neighbours } from "./consistency.js";
import { fakeBatch, matchingBatch, type Renoised } from "./distribution-matching.js";
import { epochs } from "./epochs.js";
import { bySize, drawnLatents, type Example, encodeCaption } from "./examples.js";
import type { distillFields } from "./fields.js";
import { anchorLatents, anchorLevels, FIRST_STEP, firstStepTarget } from "./first-step.js";
import type { Batch } from "./loss.js";
import type { FollowingObjective, Kept } from "./objective.js";
import { processOf } from "./process.js";
import { predictor, studentRun, studentSampling, studentSteps } from "./student.js";
import { openTeacher, type Predict, type TrainedLevel, teacherGuidance } from "./teacher.js";

/** A model to distil, and how. */
export type DistillRequest = InputOf<typeof distillFields>;

/** Samples of an update, by default. */
const BATCH = 8;
/** Decay of the average that is a consistency model's target, and of the one that distribution matching gives. */
const [TARGET_DECAY, RESULT_DECAY] = [0.95, 0.98];
/** Updates of the fake score for one of the student, and its learning rate as a multiple of the student's. */
const FAKE = { updates: 5, rate: 3 } as const;
/** Share of the training timesteps at each end at which distribution matching does not look. */
const ENDS = 0.02;
/** Decay rates of AdamW for distribution matching, of which the student's target moves. */
export const MATCHING_BETAS = [0.5, 0.99] as const;

/** @throws RequestError for a base that cannot be distilled here */
function checkBase({ base, family, adapters }: Pair): void {
  const { embedded } = factsOf(family).sampling;
  if (base.denoiser.embedsGuidance && (!embedded || embedded.of === "distilled"))
    throw new RequestError(
      `the base takes the guidance scale as an input, as distilled models of ${FAMILIES[family].title} do; name one that does not with --base`,
    );
  if (adapters.length > 0) throw new RequestError("train distill takes no --lora: merge it first (adapter merge)");
}

/** Random numbers of an update. */
const drawsOf = (seed: number, update: number) =>
  [uniform((seed + 1) * 7919 + update), createRng((seed + 1) * 1_000_003 + update)] as const;

const pick = <T>(items: readonly T[], random: () => number): T => {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new RangeError("there is nothing to draw from");
  return item;
};

/** Latent consistency distillation on images. @throws RequestError for a base that cannot be distilled here */
export async function openConsistency(
  pair: Pair,
  examples: readonly Example[],
  o: DistillRequest,
): Promise<FollowingObjective> {
  checkBase(pair);
  const { batch: samples = BATCH, seed = 0 } = o;
  const process = processOf(pair);
  const sampling = studentSampling(pair, o);
  const { guidance } = sampling;
  const { prediction } = studentSteps(pair, { ...sampling, size: o.size ?? pair.size });
  const known = new Map<string, readonly Neighbours[]>();
  const pointsAt = (size: ImageSize): readonly Neighbours[] => {
    const key = `${size.width} × ${size.height}`;
    const found = known.get(key) ?? neighbours(process.levels(pair, size), process);
    known.set(key, found);
    return found;
  };
  const chosen = epochs(bySize(examples), samples, seed);
  const teacher = await openTeacher(pair, teacherGuidance(pair, o));
  return {
    model: pair.base,
    begin: (parameters) => ({ numbers: {}, tensors: { average: parameters } }),
    result: ({ parameters, kept }) => kept.tensors["average"] ?? parameters,
    async lesson({ update, parameters, kept, network }) {
      const [random, rng] = drawsOf(seed, update);
      const own = chosen(update).flatMap((i) => examples[i] ?? []);
      const size = own[0]?.size ?? pair.size;
      const pairs = own.map(() => pick(pointsAt(size), random));
      const latents = own.flatMap((example, i) => {
        const [x0, level] = [drawnLatents(example, random, rng), pairs[i]?.from.level];
        return level ? addNoise(x0, rng.randn(x0.shape), level) : [];
      });
      const conditioning = own.map((example) => example.conditioning);
      const average = kept.tensors["average"] ?? parameters;
      const target = predictor(network, average, size, guidance);
      const networks = { prediction, process, teacher: teacher(size), target };
      const made = await consistencyBatch({ latents, conditioning }, pairs, networks);
      const timestep = pairs.map(({ from }) => from.timestep);
      return {
        batches: [{ ...made, conditioning, timestep, guidance, size, scale: 1, huber: HUBER }],
        follow: async (moved) => ({ numbers: {}, tensors: { average: mixed(average, moved, TARGET_DECAY) } }),
      };
    },
  };
}

/** What distribution matching needs beside the pair. */
export interface MatchingOptions {
  readonly prompts: readonly string[];
  /** Learning rate of the student; the fake score's is a multiple of it. */
  readonly learningRate: LearningRate;
}

/**
 * Distribution matching on the student's own images: no others are needed. With `keepDiversity` its first step learns from the base's run, or from
 * hybrid runs, instead.
 * @throws RequestError for a base that cannot be distilled here
 */
export async function openMatching(
  pair: Pair,
  { prompts, learningRate }: MatchingOptions,
  o: DistillRequest,
): Promise<FollowingObjective> {
  checkBase(pair);
  const { batch: samples = BATCH, seed = 0, keepDiversity = false, fakeUpdates = FAKE.updates } = o;
  const { size = pair.size } = o;
  const process = processOf(pair);
  const sampling = studentSampling(pair, o);
  const { guidance } = sampling;
  const student = studentSteps(pair, { ...sampling, size });
  const { prediction, levels } = student;
  const [first] = levels;
  if (!first || (keepDiversity && levels.length < 2))
    throw new RequestError(
      "--keep-diversity needs at least two steps: the first learns from the base, the others match",
    );
  const trained = process.levels(pair, size);
  const between = trained.slice(Math.ceil(ENDS * trained.length), Math.floor((1 - ENDS) * trained.length) + 1);
  const seen = trained.filter(({ level }) => level.sigma > 0 && level.alpha > 0);
  const teacher = (await openTeacher(pair, teacherGuidance(pair, o)))(size);
  const anchors = anchorLevels(first, trained, { anchor: o.anchor ?? FIRST_STEP.anchor, of: FIRST_STEP.of });
  const fakeOptimizer = clipped(1, adamw({ learningRate: times(FAKE.rate, learningRate), betas: MATCHING_BETAS }));
  const shape = pair.base.denoiser.latents(size);
  const draw = (rng: Rng, count: number): FloatTensor[] => Array.from({ length: count }, () => rng.randn(shape));
  const renoised = (from: readonly TrainedLevel[], random: () => number, rng: Rng): Renoised => ({
    at: Array.from({ length: samples }, () => pick(from, random)),
    eps: draw(rng, samples),
  });

  /** Where the base's own run gets to from the noise, with its level. */
  async function anchored(latents: readonly FloatTensor[], conditioning: readonly Conditioning[]) {
    return {
      reached: await anchorLatents(teacher, prediction, { latents, conditioning }, anchors),
      end: anchors.at(-1),
    };
  }
  /** The images of a hybrid run from the noise: one step by the base, the others by the student as it is. */
  async function hybrid(
    noise: readonly (readonly FloatTensor[])[],
    conditioning: readonly Conditioning[],
    now: Predict,
  ) {
    const run = { conditioning, noise, step: levels.length - 1, first: teacher };
    const { clean } = await studentRun(now, student, run);
    return { reached: clean.map(({ x0 }) => x0), end: { timestep: 0, level: CLEAN } };
  }
  /** The first step's batch: the mean velocity to what is reached from the same noise. */
  function firstBatch(
    latents: readonly FloatTensor[],
    conditioning: readonly Conditioning[],
    { reached, end }: { readonly reached: readonly FloatTensor[]; readonly end: TrainedLevel | undefined },
  ): Batch {
    const made = latents.flatMap((xt, i) => {
      const there = reached[i];
      return first && end && there ? firstStepTarget(prediction, first, end, [xt, there], FIRST_STEP.weight) : [];
    });
    const [targets, weights] = [made.map((m) => m.target), made.map((m) => m.weight)];
    return { latents, conditioning, targets, weights, timestep: first?.timestep ?? 0, guidance, size, scale: 1 };
  }

  return {
    model: pair.base,
    begin: (parameters) => keptOf({ average: parameters, fake: parameters, optimizer: fakeOptimizer.init(parameters) }),
    result: ({ parameters, kept }) => kept.tensors["average"] ?? parameters,
    async lesson({ update, parameters, kept, network, signal }) {
      const [random, rng] = drawsOf(seed, update);
      const { average, fake, optimizer } = keptFrom(kept, parameters);
      const conditioning: Conditioning[] = [];
      for (let i = 0; i < samples; i++) conditioning.push(await encodeCaption(pair, pick(prompts, random)));
      const from = keepDiversity ? 1 : 0;
      const step = from + Math.floor(random() * (levels.length - from));
      const noise = Array.from({ length: step + 1 }, () => draw(rng, samples));
      const run = await studentRun(predictor(network, parameters, size, guidance), student, {
        conditioning,
        noise,
        step,
      });
      const networks = { prediction, real: teacher, fake: predictor(network, fake, size, guidance) };
      const matched = await matchingBatch(run, renoised(between, random, rng), networks);
      const timestep = levels[step]?.timestep ?? 0;
      const batches: Batch[] = [{ ...matched, timestep, guidance, size, scale: 1 }];
      if (keepDiversity) {
        const latents = noise[0] ?? [];
        const target =
          o.firstStep === "hybrid"
            ? await hybrid(
                [latents, ...levels.slice(1).map(() => draw(rng, samples))],
                conditioning,
                predictor(network, average, size, guidance),
              )
            : await anchored(latents, conditioning);
        batches.push(firstBatch(latents, conditioning, target));
      }
      const images = run.clean.map(({ x0 }) => x0);
      return {
        batches,
        async follow(moved) {
          let following = { parameters: fake, state: optimizer };
          for (let i = 0; i < fakeUpdates; i++) {
            signal?.throwIfAborted();
            const made = fakeBatch(images, renoised(seen, random, rng), { prediction, process });
            const { gradients } = await network.run(
              {
                latents: made.map((m) => m.xt),
                targets: made.map((m) => m.target),
                weights: made.map((m) => m.weight),
                timestep: made.map((m) => m.timestep),
                ...{ conditioning, guidance, size, scale: 1 },
              },
              following.parameters,
            );
            following = fakeOptimizer.update(following.parameters, gradients, following.state);
          }
          return keptOf({
            average: averaged(average, moved, update + 1, { decay: RESULT_DECAY }),
            fake: following.parameters,
            optimizer: following.state,
          });
        },
      };
    },
  };
}

/** What distribution matching keeps. */
interface Matching {
  readonly average: Tensors;
  readonly fake: Tensors;
  readonly optimizer: ReturnType<Optimizer["init"]>;
}

/** Beginning of the kinds of the fake score's optimiser. */
const OF_FAKE = "fake ";

function keptOf({ average, fake, optimizer }: Matching): Kept {
  const kinds = Object.entries(optimizer.tensors).map(([kind, tensors]) => [`${OF_FAKE}${kind}`, tensors] as const);
  return { numbers: optimizer.numbers, tensors: { average, fake, ...Object.fromEntries(kinds) } };
}

function keptFrom({ numbers, tensors }: Kept, parameters: Tensors): Matching {
  const kinds = Object.entries(tensors).flatMap(([kind, own]) =>
    kind.startsWith(OF_FAKE) ? [[kind.slice(OF_FAKE.length), own] as const] : [],
  );
  const { average = parameters, fake = parameters } = tensors;
  return { average, fake, optimizer: { numbers, tensors: Object.fromEntries(kinds) } };
}

const times = (factor: number, rate: LearningRate): LearningRate =>
  typeof rate === "number" ? factor * rate : (step) => factor * rate(step);
