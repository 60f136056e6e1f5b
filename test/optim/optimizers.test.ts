import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  accumulated,
  adafactor,
  adam,
  adamw,
  averaged,
  clipped,
  globalNorm,
  type Optimizer,
  prodigy,
  SCHEDULES,
  type ScheduleName,
  sgd,
  type Tensors,
} from "../../src/optim/index.js";
import { type FloatTensor, float } from "../../src/tensor/index.js";
import { description, tensors } from "../support/parity.js";

const golden = await tensors("optimizers");
const names = Object.keys(SCHEDULES);
const { peak, steps, shown, updates, schedules } = description(
  "optimizers",
  z.object({
    peak: z.number(),
    steps: z.number(),
    shown: z.array(z.number()),
    updates: z.number(),
    schedules: z.record(
      z.string(),
      z.object({
        warmup: z.number().optional(),
        cycles: z.number().optional(),
        power: z.number().optional(),
        rates: z.array(z.number()),
      }),
    ),
  }),
);
/** Parameters or gradients that begin with a prefix. */
const named = (prefix: string): Tensors =>
  Object.fromEntries(
    golden.names.flatMap((key) =>
      key.startsWith(`${prefix}.`) ? [[key.slice(prefix.length + 1), golden.float(key)]] : [],
    ),
  );
const START = named("start");
const NAMES = Object.keys(START);

const CASES: Readonly<Record<string, Optimizer>> = {
  sgd: sgd({ learningRate: 0.05 }),
  "sgd-nesterov": sgd({ learningRate: 0.05, momentum: 0.9, nesterov: true, weightDecay: 0.1 }),
  adam: adam({ learningRate: 0.01, betas: [0.8, 0.95], weightDecay: 0.1 }),
  adamw: adamw({ learningRate: 0.01 }),
  adafactor: adafactor(),
  "adafactor-decay": adafactor({ learningRate: 0.05, decay: -0.5, epsilon: [1e-4, 1e-2], clip: 2, weightDecay: 0.1 }),
  prodigy: prodigy(),
  "prodigy-decay": prodigy({
    ...{ weightDecay: 0.1, correctBias: true, safeguardWarmup: true, firstDistance: 1e-3, factor: 2, growth: 1.5 },
  }),
  "prodigy-beta3": prodigy({ learningRate: 0.5, betas: [0.9, 0.99], beta3: 0.9, firstDistance: 1e-4 }),
  clipped: clipped(0.5, adamw({ learningRate: 0.01 })),
  accumulated: accumulated(2, adamw({ learningRate: 0.01 })),
};

/** Largest difference to what torch has, over the root mean square of the change since the start. */
function difference(actual: FloatTensor | undefined, expected: FloatTensor, start: FloatTensor | undefined): number {
  const change = expected.data.map((v, i) => v - (start?.data[i] ?? 0));
  const scale = Math.sqrt(change.reduce((s, v) => s + v * v, 0) / change.length);
  const off = Math.max(...expected.data.map((v, i) => Math.abs(v - (actual?.data[i] ?? Number.NaN))));
  return off === 0 ? 0 : off / Math.max(scale, 1e-7);
}

describe("optimisers", () => {
  it.each(Object.entries(CASES))("%s gives the parameters of torch after each update", (name, optimizer) => {
    let parameters = START;
    let state = optimizer.init(parameters);
    for (let update = 0; update < updates; update++) {
      ({ parameters, state } = optimizer.update(parameters, named(`gradient.${update}`), state));
      if (!shown.includes(update + 1)) continue;
      const expected = named(`${name}.${update + 1}`);
      expect(Object.keys(expected)).toEqual(NAMES);
      for (const key of NAMES) {
        const found = expected[key];
        // One float32 rounding of the parameter itself is more than 1e-5 of a small change.
        const rounding = 3e-7 * Math.max(...(found?.data ?? []).map(Math.abs));
        const allowed = 2e-5 + rounding / Math.max(1e-7, changeOf(found, START[key]));
        expect(found && difference(parameters[key], found, START[key]), `${key} after ${update + 1}`).toBeLessThan(
          allowed,
        );
      }
    }
  });

  it.each(Object.entries(CASES))("%s changes nothing that it was given", (_, optimizer) => {
    const copies = (t: Tensors) => JSON.stringify(Object.values(t).map(({ data }) => [...data]));
    const gradients = named("gradient.1");
    const state = optimizer.init(START);
    const before = [copies(START), copies(gradients), ...Object.values(state.tensors).map(copies)];
    const first = optimizer.update(START, gradients, state);
    expect([copies(START), copies(gradients), ...Object.values(state.tensors).map(copies)]).toEqual(before);
    const again = optimizer.update(START, gradients, state);
    expect(copies(again.parameters)).toBe(copies(first.parameters));
  });

  it("leaves parameters without a gradient, and refuses gradients of no parameter or of another shape", () => {
    const optimizer = adamw({ learningRate: 0.1 });
    const { parameters } = optimizer.update(START, { bias: golden.float("gradient.1.bias") }, optimizer.init(START));
    expect(parameters["matrix"]).toBe(START["matrix"]);
    expect(parameters["bias"]).not.toEqual(START["bias"]);
    const wrong = (gradients: Tensors) => () => optimizer.update(START, gradients, optimizer.init(START));
    expect(wrong({ other: float([1]) })).toThrow("there is no parameter other for this gradient");
    expect(wrong({ matrix: float([3, 5]) })).toThrow("matrix has the shape [5, 3]; its gradient has [3, 5]");
  });

  it("clips all gradients together, and only those that are too long", () => {
    const seen: number[] = [];
    const spy: Optimizer = {
      init: () => ({ numbers: {}, tensors: {} }),
      update(parameters, gradients, state) {
        seen.push(globalNorm(gradients));
        return { parameters, state };
      },
    };
    const gradients = named("gradient.2");
    const norm = globalNorm(gradients);
    for (const most of [norm / 4, norm * 4]) clipped(most, spy).update(START, gradients, spy.init(START));
    expect(seen[0]).toBeCloseTo(norm / 4, 3);
    expect(seen[1]).toBe(norm);
  });
});

function changeOf(to: FloatTensor | undefined, from: FloatTensor | undefined): number {
  const change = [...(to?.data ?? [])].map((v, i) => v - (from?.data[i] ?? 0));
  return Math.sqrt(change.reduce((s, v) => s + v * v, 0) / Math.max(1, change.length));
}

describe("schedules", () => {
  const isName = (name: string): name is ScheduleName => names.includes(name);
  it.each(names.filter(isName))("%s has the learning rates of diffusers", (name) => {
    const { rates = [], ...o } = schedules[name] ?? {};
    const rate = SCHEDULES[name]({ peak, steps, ...dropped(o) });
    expect(rates.length).toBe(steps + 3);
    for (const [step, expected] of rates.entries()) expect(rate(step)).toBeCloseTo(expected, 12);
  });
});

const dropped = <T extends object>(o: T) => Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined));

describe("averages of parameters", () => {
  it.each([
    ["plain", { decay: 0.9 }],
    ["power", { decay: 0.95, power: 2 / 3 }],
  ] as const)("with the decay of diffusers' EMAModel: %s", (name, o) => {
    const [values, expected] = [golden.float("average.values"), golden.float(`average.${name}`)];
    const at = ({ shape: [, size = 0], data }: FloatTensor, i: number) =>
      float([size], data.subarray(i * size, (i + 1) * size));
    let average: Tensors = {};
    for (let update = 0; update < updates; update++) {
      average = averaged(average, { value: at(values, update) }, update + 1, o);
      const own = average["value"]?.data ?? new Float32Array();
      for (const [i, v] of at(expected, update).data.entries()) expect(own[i]).toBeCloseTo(v, 6);
    }
  });
});
