import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { layersOf } from "../../src/adapters/index.js";
import { openComponentWeights } from "../../src/checkpoint/node/index.js";
import { FAMILY_NAMES } from "../../src/families/index.js";
import type { PlanSource } from "../../src/generate/index.js";
import { type DenoiserShape, denoiserOf, parseUNetConfig } from "../../src/models/index.js";
import { network } from "../../src/networks/index.js";
import { adamw, clipped, globalNorm, mixed, type Tensors } from "../../src/optim/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { addNoise } from "../../src/sampling/index.js";
import { type FloatTensor, float, sample } from "../../src/tensor/index.js";
import {
  anchorLatents,
  anchorLevels,
  type Batch,
  chooseLayers,
  consistencyBatch,
  FIRST_STEP,
  fakeBatch,
  firstStepTarget,
  HUBER,
  isLora,
  LAYER_CHOICES,
  LORA_TYPES,
  type LossNetwork,
  MATCHING_BETAS,
  matchingBatch,
  neighbours,
  openLoss,
  openTeacher,
  type Predict,
  predictor,
  processOf,
  studentRun,
  studentSampling,
  studentSteps,
  type Trained,
  type TrainedLevel,
  weightValues,
} from "../../src/train/index.js";
import { componentFolder, componentGolden, stemOf } from "../support/checkpoint.js";
import { description, namesIn, type Recorded, tensors } from "../support/parity.js";
import { beginning, expectMatrices, flowText, matricesOf, noise, sorted, text } from "../support/trained.js";

const numbers = z.array(z.number());
const common = {
  component: z.string(),
  prediction: z.enum(["epsilon", "v_prediction", "flow_prediction"]),
  rank: z.number().nullable(),
  guidance: z.number(),
  schedule: z.record(z.string(), z.unknown()),
  latents: numbers,
  tokens: z.union([z.number(), numbers]),
  family: z.enum(FAMILY_NAMES).default("sdxl"),
  layers: z.enum(LAYER_CHOICES).default("full"),
  type: z.enum(LORA_TYPES).default("lierla"),
  visible: numbers.nullable().default(null),
  embedded: z.boolean().default(false),
  rate: z.number(),
  norm: z.number(),
  losses: numbers,
  norms: numbers,
  matrices: z.array(z.tuple([z.string(), numbers, numbers])),
};
const schema = z.discriminatedUnion("method", [
  z.object({ method: z.literal("lcm"), ...common, indices: z.array(numbers) }),
  z.object({
    method: z.literal("dmd2"),
    ...common,
    keep: z.boolean(),
    seen: z.array(numbers),
    fakeTimes: z.array(z.array(numbers)),
    fakeRate: z.number(),
    fakeLosses: numbers,
  }),
]);
type Golden = z.output<typeof schema>;
const MOST = 48;
/** Share of the values that may differ by more: one or two of 48. */
const SHARE = 0.05;
const runtime = openRuntime({ threads: 1 });
afterAll(() => runtime.close());

/** A golden's network: as it is, and with what is trained. */
async function opened(golden: Golden) {
  const component = componentGolden(golden.component);
  const index = await openComponentWeights(componentFolder(golden.component), stemOf(component));
  const source = { file: "config.json", config: component.config };
  const denoiser = await denoiserOf(component.class, source, 8);
  const layers = sorted(layersOf([...index.weights].map(([key, w]) => [key, w.shape] as const)));
  const { rank } = golden;
  const trained: Trained =
    rank === null
      ? { weights: [...index.weights.keys()] }
      : chooseLayers(layers, { rank, alpha: rank, layers: golden.layers, type: golden.type });
  const parameters = isLora(trained) ? beginning(trained) : await weightValues(trained, denoiser, index);
  if (isLora(trained)) expect(matricesOf(trained)).toEqual(golden.matrices);
  const weights = async () => index;
  const plain = network("unet", runtime, (s: DenoiserShape, w) => denoiser.draw(s, w), weights);
  const loss = await openLoss({ engine: { runtime, upcast: "at-load" } }, { denoiser, weights }, trained);
  const [, , height = 1, width = 1] = golden.latents;
  const size = { height: 8 * height, width: 8 * width };
  const { family, tokens, prediction } = golden;
  const isFlow = prediction === "flow_prediction";
  const [first, second, negative] =
    typeof tokens === "number"
      ? [1, 2].map((seed) => text(parseUNetConfig(source), tokens, seed))
      : [0, 1, 2].map((i) => flowText({ tokens, visible: golden.visible }, i, component, denoiser));
  if (!first || !second) throw new Error("no prompts");
  const encode = async () => ({ ...(negative ?? first), truncated: 0 });
  const pair = {
    family,
    base: { denoiser, network: plain },
    text: { encode, unconditional: "" },
    zeroNegative: !isFlow,
  };
  const teacher = (await openTeacher(pair, golden.guidance))(size);
  const _class_name = isFlow ? "FlowMatchEulerDiscreteScheduler" : "DDPMScheduler";
  const config = { _class_name, ...golden.schedule, prediction_type: prediction };
  const planned: PlanSource = {
    ...{ row: null, family, distilled: null },
    base: {
      ...{ ref: "the base", embedsGuidance: denoiser.embedsGuidance },
      scheduler: { file: "scheduler_config.json", config },
    },
  };
  const process = processOf(planned);
  const levels = process.levels(planned, size);
  const sampling = studentSampling(planned, { guidance: golden.guidance });
  const student = studentSteps(planned, { ...sampling, size });
  const call = { conditioning: [first, second], guidance: sampling.guidance, size, scale: 1 };
  const release = async () => {
    await loss.release();
    await plain.release();
  };
  return { trained, parameters, loss, teacher, process, levels, student, call, release };
}
type Opened = Awaited<ReturnType<typeof opened>>;

const both = (shape: readonly number[], seed: number): FloatTensor[] => {
  const all = noise(shape, seed);
  return [sample(all, 0), sample(all, 1)];
};
const at = (levels: readonly TrainedLevel[], times: readonly number[] | undefined): TrainedLevel[] =>
  (times ?? []).flatMap((t) => levels[t] ?? []);

async function total(loss: LossNetwork, batches: readonly Batch[], parameters: Tensors) {
  const found = [];
  for (const batch of batches) found.push(await loss.run(batch, parameters));
  const [first, second] = found;
  if (!first) throw new Error("no batch");
  if (!second) return first;
  const gradients = Object.entries(first.gradients).map(([name, { shape, data }]) => {
    const other = second.gradients[name]?.data;
    return [
      name,
      float(
        shape,
        data.map((v, i) => v + (other?.[i] ?? 0)),
      ),
    ] as const;
  });
  return { loss: first.loss + second.loss, gradients: Object.fromEntries(gradients) };
}

/** Largest relative difference of losses, and largest difference of values as a share of the learning rate, of the student, its average and the fake score. */
const within = ({ prediction, method }: Golden) =>
  prediction === "flow_prediction"
    ? { loss: 1e-4, student: 0.1, average: 0.1, fake: 0.3 }
    : { loss: 5e-4, student: method === "lcm" ? 0.5 : 0.2, average: 0.25, fake: 1 };

function expectUpdate(golden: Golden, update: number, found: { loss: number; gradients: Tensors }): void {
  const apart = Math.abs(found.loss / (golden.losses[update] ?? 0) - 1);
  expect(apart, `loss of update ${update + 1}`).toBeLessThan(within(golden).loss);
  expect(globalNorm(found.gradients) / (golden.norms[update] ?? 0), `norm of ${update + 1}`).toBeCloseTo(1, 2);
}

/** Values after the run, of a LoRA as matrices, of weights by name: nearly all within the tolerance, as in `expectMatrices`. */
function expectValues(trained: Trained, values: Tensors, recorded: Recorded, prefix: string, most: number): void {
  const own: Recorded = { ...recorded, float: (key) => recorded.float(`${prefix}/${key}`) };
  if (isLora(trained)) expectMatrices(trained, values, own, { within: most, most: MOST, share: SHARE });
  for (const name of "weights" in trained ? trained.weights : []) {
    const expected = own.float(name).data;
    const data = values[name]?.data ?? new Float32Array();
    const stride = Math.ceil(data.length / MOST);
    const off = [...expected].filter((v, i) => !(Math.abs(v - (data[i * stride] ?? Number.NaN)) <= most)).length;
    expect(off / expected.length, name).toBeLessThanOrEqual(SHARE);
  }
}

async function consistency(golden: Extract<Golden, { method: "lcm" }>, o: Opened, recorded: Recorded): Promise<void> {
  const { loss, teacher, process, levels, call, trained } = o;
  const { prediction, latents: shape, rate } = golden;
  const points = neighbours(levels, process);
  const optimizer = clipped(golden.norm, adamw({ learningRate: rate }));
  let { parameters } = o;
  let [average, state] = [parameters, optimizer.init(parameters)];
  for (const [update, indices] of golden.indices.entries()) {
    const pairs = indices.flatMap((i) => points[i] ?? []);
    const [x0, eps] = [both(shape, 1000 + update), both(shape, 2000 + update)];
    const latents = pairs.flatMap(({ from }, i) => {
      const [a, b] = [x0[i], eps[i]];
      return a && b ? addNoise(a, b, from.level) : [];
    });
    const target = predictor(loss, average, call.size, call.guidance);
    const batch = { latents, conditioning: call.conditioning };
    const made = await consistencyBatch(batch, pairs, { prediction, process, teacher, target });
    const timestep = pairs.map(({ from }) => from.timestep);
    const found = await loss.run({ ...made, ...call, timestep, huber: HUBER }, parameters);
    expectUpdate(golden, update, found);
    ({ parameters, state } = optimizer.update(parameters, found.gradients, state));
    average = mixed(average, parameters, 0.95);
  }
  expectValues(trained, parameters, recorded, "student", within(golden).student * rate);
  expectValues(trained, average, recorded, "average", within(golden).average * rate);
}

async function matching(golden: Extract<Golden, { method: "dmd2" }>, o: Opened, recorded: Recorded): Promise<void> {
  const { loss, teacher, process, levels, student, call, trained } = o;
  const { prediction, latents: shape, rate } = golden;
  const { conditioning } = call;
  const optimizer = clipped(golden.norm, adamw({ learningRate: rate, betas: MATCHING_BETAS }));
  const fakeOptimizer = clipped(golden.norm, adamw({ learningRate: golden.fakeRate * rate, betas: MATCHING_BETAS }));
  let { parameters } = o;
  let state = optimizer.init(parameters);
  let fake = { parameters, state: fakeOptimizer.init(parameters) };
  const fakeLosses: number[] = [];
  const withValues = (values: Tensors): Predict => predictor(loss, values, call.size, call.guidance);
  for (const [update, times] of golden.seen.entries()) {
    const step = golden.keep ? 1 + (update % 3) : update % 4;
    const drawn = Array.from({ length: step + 1 }, (_, k) => both(shape, 3000 + 10 * update + k));
    const run = await studentRun(withValues(parameters), student, { conditioning, noise: drawn, step });
    const networks = { real: teacher, fake: withValues(fake.parameters), prediction };
    const made = await matchingBatch(run, { at: at(levels, times), eps: both(shape, 4000 + update) }, networks);
    const batches: Batch[] = [{ ...made, ...call, timestep: student.levels[step]?.timestep ?? 0 }];
    if (golden.keep) batches.push(await firstBatch(o, drawn[0] ?? []));
    const found = await total(loss, batches, parameters);
    expectUpdate(golden, update, found);
    ({ parameters, state } = optimizer.update(parameters, found.gradients, state));
    const images = run.clean.map(({ x0 }) => x0);
    for (const [i, own] of (golden.fakeTimes[update] ?? []).entries()) {
      const noised = { at: at(levels, own), eps: both(shape, 5000 + 10 * update + i) };
      const learned = fakeBatch(images, noised, { prediction, process });
      const { loss: value, gradients } = await loss.run(
        {
          ...call,
          latents: learned.map((m) => m.xt),
          targets: learned.map((m) => m.target),
          weights: learned.map((m) => m.weight),
          timestep: learned.map((m) => m.timestep),
        },
        fake.parameters,
      );
      fakeLosses.push(value);
      fake = fakeOptimizer.update(fake.parameters, gradients, fake.state);
    }
  }
  for (const [i, value] of fakeLosses.entries())
    expect(Math.abs(value / (golden.fakeLosses[i] ?? 0) - 1), `loss ${i} of the fake score`).toBeLessThan(
      within(golden).loss,
    );
  expectValues(trained, parameters, recorded, "student", within(golden).student * rate);
  expectValues(trained, fake.parameters, recorded, "fake", within(golden).fake * rate);
}

async function firstBatch({ teacher, levels, student, call }: Opened, latents: readonly FloatTensor[]): Promise<Batch> {
  const { prediction } = student;
  const [begin] = student.levels;
  if (!begin) throw new Error("no steps");
  const anchors = anchorLevels(begin, levels, FIRST_STEP);
  const reached = await anchorLatents(teacher, prediction, { latents, conditioning: call.conditioning }, anchors);
  const [first, end] = [anchors[0], anchors.at(-1)];
  const made = latents.flatMap((xt, i) => {
    const there = reached[i];
    if (!first || !end || !there) throw new Error("no anchor");
    return firstStepTarget(prediction, first, end, [xt, there], FIRST_STEP.weight);
  });
  return {
    ...call,
    latents,
    timestep: begin.timestep,
    targets: made.map((m) => m.target),
    weights: made.map((m) => m.weight),
  };
}

const goldens = ["distillation", "flow-distillation"].flatMap((folder) =>
  namesIn(folder).map((name) => `${folder}/${name}`),
);
describe.each(goldens)("updates of the %s equal torch's", { timeout: 240_000 }, (name) => {
  it("in loss, gradient norm and values of student and follower", async () => {
    const golden = description(name, schema);
    const recorded = await tensors(name);
    const own = await opened(golden);
    if (golden.method === "lcm") await consistency(golden, own, recorded);
    else await matching(golden, own, recorded);
    await own.release();
  });
});
