import { Command } from "commander";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addFields, fieldsOf } from "../../src/cli/fields.js";
import { commandLine, commandWords, libraryCode } from "../../src/convert/index.js";
import { type GenerateRequest, requestFields, requestSchema } from "../../src/generate/index.js";
import { machineFields, modelFields } from "../../src/open/index.js";

const modelsFields = { ...modelFields, ...machineFields };
const { adapters: _, ...own } = requestFields;

/** What the command line reads from words. */
function read(words: readonly string[]) {
  const command = addFields(addFields(new Command(), modelsFields), own).argument("[prompts...]").exitOverride();
  command.parse(words.slice(1), { from: "user" });
  return { prompts: command.args, ...fieldsOf(modelsFields, command.opts()), ...fieldsOf(own, command.opts()) };
}

const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const word = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }).filter((text) => text.trim() !== "");
const known = <T extends object>(record: T) =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));

const requests = fc
  .record({
    prompts: fc.array(word, { minLength: 1, maxLength: 3 }),
    negative: maybe(fc.oneof(fc.constant(""), word)),
    seeds: maybe(fc.uniqueArray(fc.nat(30), { minLength: 1, maxLength: 8 })),
    mode: maybe(fc.constantFrom("base" as const, "hybrid" as const)),
    switch: maybe(fc.oneof(fc.nat(4), fc.uniqueArray(fc.nat(4), { minLength: 1 }))),
    size: maybe(fc.record({ width: fc.integer({ min: 8, max: 900 }), height: fc.integer({ min: 8, max: 900 }) })),
    ratio: maybe(fc.record({ base: fc.integer({ min: 1, max: 9 }), distilled: fc.integer({ min: 1, max: 9 }) })),
    timesteps: maybe(fc.array(fc.nat(999), { minLength: 1, maxLength: 4 })),
    sigmas: maybe(fc.constantFrom("karras" as const, "beta" as const)),
    eta: maybe(fc.double({ min: 0, max: 1, noNaN: true })),
    tile: maybe(fc.oneof(fc.constant("off" as const), fc.integer({ min: 4, max: 64 }))),
    diversity: maybe(
      fc.constantFrom(
        [{ method: "cads" as const, scale: 0.5, tau1: 0.6, tau2: 0.9, mix: 1 }],
        [{ method: "interval" as const, low: 0.28, high: 5.42 }],
      ),
    ),
  })
  .map((request) => requestSchema.parse(known(request)));

const lora = fc
  .record({
    ref: fc.constantFrom("smile.base", "my slider.safetensors"),
    // −0 is written as 0.
    scale: maybe(
      fc.oneof(
        fc.double({ min: -4, max: 4, noNaN: true }).map((v) => v + 0),
        fc.constant("0@0-1,0.8@2-3"),
      ),
    ),
    on: maybe(fc.constantFrom("base" as const, "distilled" as const)),
  })
  .map((adapter) => ({ ref: adapter.ref, ...known(adapter) }));

describe("a request as a command", () => {
  it("is read back as the same request", () => {
    fc.assert(
      fc.property(requests, fc.array(lora, { maxLength: 2 }), (request, adapters) => {
        const back = read(
          commandWords({ pair: "embedded", memoryBudget: 2.5e9, threads: 2 }, { ...request, adapters }),
        );
        const byModel = (all: readonly { readonly ref: string; readonly on?: string }[]) =>
          all.toSorted((a, b) => ((a.on ?? "") < (b.on ?? "") ? -1 : 1));
        const { adapters: read_ = [], pair, memoryBudget, threads, ...rest } = back;
        expect(rest).toEqual(request);
        expect({ pair, memoryBudget, threads }).toEqual({ pair: "embedded", memoryBudget: 2.5e9, threads: 2 });
        expect(byModel(read_)).toEqual(byModel(adapters));
      }),
      { numRuns: 50 },
    );
  });

  it("is quoted for a shell, and keeps prompts that begin with a dash apart from flags", () => {
    const request: GenerateRequest = { prompts: ["it's a fox"], seeds: [0, 1, 2, 7], size: { width: 64, height: 48 } };
    expect(commandLine({}, request)).toBe("variegate generate 'it'\\''s a fox' --seeds 0-2,7 --size 64x48");
    expect(commandLine({}, { prompts: ["--help"], negative: "-x" })).toBe("variegate generate --negative=-x -- --help");
  });

  it("is refused where only library code can state it", () => {
    const samples = { prompts: ["a", "b"], samples: [{ prompt: 1, seed: 3 }] };
    expect(() => commandLine({}, samples)).toThrow(/cannot state samples; copy library code/);
    const scale = { whole: 1, samples: [{ seed: 3, scale: 2 }] };
    expect(() => commandLine({}, { prompts: ["a"], adapters: [{ ref: "x", scale }] })).toThrow(/scale with samples/);
    expect(libraryCode({ pair: "embedded" }, samples)).toContain('"samples": [');
  });
});
