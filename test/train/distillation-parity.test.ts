import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { layersOf } from "../../src/adapters/index.js";
import { openComponentWeights } from "../../src/checkpoint/node/index.js";
import type { DenoiserShape } from "../../src/models/index.js";
import { parseUNetConfig, unetDenoiser } from "../../src/models/index.js";
import { network } from "../../src/networks/index.js";
import { adamw, clipped, globalNorm, mixed, type Tensors } from "../../src/optim/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { addNoise, parseScheduler, schedule } from "../../src/sampling/index.js";
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
  type LossNetwork,
  MATCHING_BETAS,
  matchingBatch,
  neighbours,
  openLoss,
  openTeacher,
  type Predict,
  predictor,
  studentRun,
  type Trained,
  type TrainedLevel,
  weightValues,
} from "../../src/train/index.js";
import { componentFolder, componentGolden, stemOf } from "../support/checkpoint.js";
import { description, namesIn, type Recorded, tensors } from "../support/parity.js";
import { beginning, expectMatrices, matricesOf, noise, sorted, text } from "../support/trained.js";

const numbers = z.array(z.number());
const common = {
  component: z.string(),
  prediction: z.enum(["epsilon", "v_prediction"]),
  rank: z.number().nullable(),
  guidance: z.number(),
  schedule: z.record(z.string(), z.unknown()),
  latents: numbers,
  tokens: z.number(),
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
const GRID = [999, 749, 499, 249];
const runtime = openRuntime({ threads: 1 });
afterAll(() => runtime.close());

/** A golden's network: as it is, and with what is trained. */
async function opened(golden: Golden) {
  const component = componentGolden(golden.component);
  const index = await openComponentWeights(componentFolder(golden.component), stemOf(component));
  const config = parseUNetConfig({ file: "config.json", config: component.config });
  const denoiser = unetDenoiser(config, 8);
  const layers = sorted(layersOf([...index.weights].map(([key, w]) => [key, w.shape] as const)));
  const { rank } = golden;
  const trained: Trained =
    rank === null
      ? { weights: [...index.weights.keys()] }
      : chooseLayers(layers, { rank, alpha: rank, layers: "full", type: "lierla" });
  const parameters = isLora(trained) ? beginning(trained) : await weightValues(trained, denoiser, index);
  if (isLora(trained)) expect(matricesOf(trained)).toEqual(golden.matrices);
  const weights = async () => index;
  const plain = network("unet", runtime, (s: DenoiserShape, w) => denoiser.draw(s, w), weights);
  const loss = await openLoss({ engine: { runtime, upcast: "at-load" } }, { denoiser, weights }, trained);
  const [, , height = 1, width = 1] = golden.latents;
  const size = { height: 8 * height, width: 8 * width };
  const encode = () => Promise.reject(new Error("no prompt is encoded"));
  const pair = {
    family: "sdxl" as const,
    base: { denoiser, network: plain },
    text: { encode, unconditional: "" },
    zeroNegative: true,
  };
  const teacher = (await openTeacher(pair, golden.guidance))(size);
  const ddpm = { _class_name: "DDPMScheduler", ...golden.schedule };
  const { levelAt } = schedule(parseScheduler(ddpm, "scheduler_config.json"), { steps: 1 });
  const levels = Array.from({ length: 1000 }, (_, timestep): TrainedLevel => ({ timestep, level: levelAt(timestep) }));
  const conditioning = [1, 2].map((seed) => text(config, golden.tokens, seed));
  const release = async () => {
    await loss.release();
    await plain.release();
  };
  return { trained, parameters, loss, teacher, levels, conditioning, size, release };
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

function expectUpdate(golden: Golden, update: number, found: { loss: number; gradients: Tensors }): void {
  expect(found.loss / (golden.losses[update] ?? 0), `loss of update ${update + 1}`).toBeCloseTo(1, 3);
  expect(globalNorm(found.gradients) / (golden.norms[update] ?? 0), `norm of ${update + 1}`).toBeCloseTo(1, 2);
}

/** Values after the run, of a LoRA as matrices, of weights by name: nearly all within the tolerance, as in `expectMatrices`. */
function expectValues(trained: Trained, values: Tensors, recorded: Recorded, prefix: string, within: number): void {
  const own: Recorded = { ...recorded, float: (key) => recorded.float(`${prefix}/${key}`) };
  if (isLora(trained)) expectMatrices(trained, values, own, { within, most: MOST, share: SHARE });
  for (const name of "weights" in trained ? trained.weights : []) {
    const expected = own.float(name).data;
    const data = values[name]?.data ?? new Float32Array();
    const stride = Math.ceil(data.length / MOST);
    const off = [...expected].filter((v, i) => !(Math.abs(v - (data[i * stride] ?? Number.NaN)) <= within)).length;
    expect(off / expected.length, name).toBeLessThanOrEqual(SHARE);
  }
}

async function consistency(golden: Extract<Golden, { method: "lcm" }>, o: Opened, recorded: Recorded): Promise<void> {
  const { loss, teacher, levels, conditioning, size, trained } = o;
  const { prediction, latents: shape } = golden;
  const points = neighbours(levels);
  const optimizer = clipped(golden.norm, adamw({ learningRate: golden.rate }));
  let { parameters } = o;
  let [average, state] = [parameters, optimizer.init(parameters)];
  for (const [update, indices] of golden.indices.entries()) {
    const pairs = indices.flatMap((i) => points[i] ?? []);
    const [x0, eps] = [both(shape, 1000 + update), both(shape, 2000 + update)];
    const latents = pairs.flatMap(({ from }, i) => {
      const [a, b] = [x0[i], eps[i]];
      return a && b ? addNoise(a, b, from.level) : [];
    });
    const target = predictor(loss, average, size);
    const made = await consistencyBatch({ latents, conditioning }, pairs, { prediction, teacher, target });
    const timestep = pairs.map(({ from }) => from.timestep);
    const found = await loss.run(
      { ...made, conditioning, timestep, guidance: 0, size, scale: 1, huber: HUBER },
      parameters,
    );
    expectUpdate(golden, update, found);
    ({ parameters, state } = optimizer.update(parameters, found.gradients, state));
    average = mixed(average, parameters, 0.95);
  }
  expectValues(trained, parameters, recorded, "student", golden.rate / 2);
  expectValues(trained, average, recorded, "average", golden.rate / 4);
}

async function matching(golden: Extract<Golden, { method: "dmd2" }>, o: Opened, recorded: Recorded): Promise<void> {
  const { loss, teacher, levels, conditioning, size, trained } = o;
  const { prediction, latents: shape, rate } = golden;
  const steps = at(levels, GRID);
  const optimizer = clipped(golden.norm, adamw({ learningRate: rate, betas: MATCHING_BETAS }));
  const fakeOptimizer = clipped(golden.norm, adamw({ learningRate: golden.fakeRate * rate, betas: MATCHING_BETAS }));
  let { parameters } = o;
  let state = optimizer.init(parameters);
  let fake = { parameters, state: fakeOptimizer.init(parameters) };
  const fakeLosses: number[] = [];
  const call = { conditioning, guidance: 0, size, scale: 1 };
  for (const [update, times] of golden.seen.entries()) {
    const step = golden.keep ? 1 + (update % 3) : update % 4;
    const drawn = Array.from({ length: step + 1 }, (_, k) => both(shape, 3000 + 10 * update + k));
    const student: Predict = predictor(loss, parameters, size);
    const run = await studentRun(student, { levels: steps, prediction }, { conditioning, noise: drawn, step });
    const networks = { real: teacher, fake: predictor(loss, fake.parameters, size), prediction };
    const made = await matchingBatch(run, { at: at(levels, times), eps: both(shape, 4000 + update) }, networks);
    const batches: Batch[] = [{ ...made, ...call, timestep: GRID[step] ?? 0 }];
    if (golden.keep) batches.push(await firstBatch(o, prediction, drawn[0] ?? [], call));
    const found = await total(loss, batches, parameters);
    expectUpdate(golden, update, found);
    ({ parameters, state } = optimizer.update(parameters, found.gradients, state));
    const images = run.clean.map(({ x0 }) => x0);
    for (const [i, own] of (golden.fakeTimes[update] ?? []).entries()) {
      const noised = { at: at(levels, own), eps: both(shape, 5000 + 10 * update + i) };
      const learned = fakeBatch(images, noised, prediction);
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
    expect(value / (golden.fakeLosses[i] ?? 0), `loss ${i} of the fake score`).toBeCloseTo(1, 3);
  expectValues(trained, parameters, recorded, "student", rate / 5);
  expectValues(trained, fake.parameters, recorded, "fake", rate);
}

async function firstBatch(
  { teacher, levels }: Opened,
  prediction: Golden["prediction"],
  latents: readonly FloatTensor[],
  call: Pick<Batch, "conditioning" | "guidance" | "size" | "scale">,
): Promise<Batch> {
  const anchors = anchorLevels(999, levels, FIRST_STEP);
  const reached = await anchorLatents(teacher, prediction, { latents, conditioning: call.conditioning }, anchors);
  const [first, end] = [anchors[0], anchors.at(-1)];
  const made = latents.flatMap((xt, i) => {
    const there = reached[i];
    if (!first || !end || !there) throw new Error("no anchor");
    return firstStepTarget(prediction, first, end, [xt, there], FIRST_STEP.weight);
  });
  return { ...call, latents, timestep: 999, targets: made.map((m) => m.target), weights: made.map((m) => m.weight) };
}

describe.each(namesIn("distillation"))("updates of the distillation %s equal torch's", { timeout: 240_000 }, (name) => {
  it("in loss, gradient norm and values of student and follower", async () => {
    const golden = description(`distillation/${name}`, schema);
    const recorded = await tensors(`distillation/${name}`);
    const own = await opened(golden);
    if (golden.method === "lcm") await consistency(golden, own, recorded);
    else await matching(golden, own, recorded);
    await own.release();
  });
});
