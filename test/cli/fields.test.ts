import { Command, CommanderError } from "commander";
import { afterEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { addFields, fieldsOf } from "../../src/cli/fields.js";
import { requestFields, requestForMode, requestSchema } from "../../src/generate/index.js";
import { machineFields, modelFields } from "../../src/open/index.js";
import { type Fields, option } from "../../src/schema/index.js";

/** The fields that a command line sets. */
function read<F extends Fields>(fields: F, ...args: string[]) {
  const command = addFields(new Command(), fields)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  command.parse(args, { from: "user" });
  return fieldsOf(fields, command.opts());
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("fields as flags", () => {
  it("a field that is added to a schema is a flag, a field of JSON, and part of a request in every mode", () => {
    const fields = {
      ...requestFields,
      sparkle: option(z.number().min(0).max(1), { flag: "--sparkle <x>", about: "made up" }),
    };
    expect(read(fields, "--sparkle", "0.5", "--steps", "3")).toEqual({ sparkle: 0.5, steps: 3 });
    expect(() => read(fields, "--sparkle", "2")).toThrow(/--sparkle .*'2'.*from 0 to 1/);
    const schema = z.strictObject({ ...requestSchema.shape, ...fields });
    expect(schema.parse({ prompts: ["x"], sparkle: 0.5 })).toEqual({ prompts: ["x"], sparkle: 0.5 });
    expect(addFields(new Command(), fields).helpInformation()).toContain("--sparkle <x>");
    const request = { prompts: ["x"], sparkle: 0.5, steps: 3 };
    expect(requestForMode("base", request)).toEqual({ prompts: ["x"], sparkle: 0.5, mode: "base" });
    expect(requestForMode("hybrid", request)).toEqual({ ...request, mode: "hybrid" });
    const handed = { ...request, switch: 2, baseSteps: 8 };
    expect(requestForMode("hybrid", handed)).toEqual({ ...handed, mode: "hybrid" });
    expect(requestForMode("distilled", handed)).toEqual({ ...request, mode: "distilled" });
  });

  it("reads every form of a value", () => {
    expect(
      read(
        requestFields,
        ...["--seeds", "0-2,7", "--size", "832x640", "--ratio", "2:1", "--tile", "off", "--timesteps", "999, 499"],
        ...["--base-rows", "0,2,2", "--negative", "", "--scheduler", "DDIMScheduler", "--mode", "hybrid"],
      ),
    ).toEqual({
      seeds: [0, 1, 2, 7],
      size: { width: 832, height: 640 },
      ratio: { base: 2, distilled: 1 },
      tile: "off",
      timesteps: [999, 499],
      switch: [0, 2],
      negative: "",
      scheduler: "DDIMScheduler",
      mode: "hybrid",
    });
  });

  it("collects what may be repeated, from several flags of one field", () => {
    expect(read(modelFields, "--lora", "a.safetensors", "--lora-base", "b:0.5", "--lora", "c:0@0-1,1@2")).toEqual({
      adapters: [{ ref: "a.safetensors" }, { ref: "c", scale: "0@0-1,1@2" }, { ref: "b", scale: 0.5, on: "base" }],
    });
    expect(read(modelFields, "--embedding", "x.pt=<pip>", "--text-encoder", "l", "--text-encoder", "g")).toEqual({
      embeddings: [{ ref: "x.pt", token: "<pip>" }],
      textEncoders: ["l", "g"],
    });
  });

  it("takes earlier names, and says the new one", () => {
    const told = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    expect(read(machineFields, "--room", "12.5")).toEqual({ memoryBudget: 12.5e9 });
    expect(read(requestFields, "--memory", "dual")).toEqual({ offload: "none" });
    expect(told.mock.calls.map(([line]) => line)).toEqual([
      expect.stringContaining("--memory-budget"),
      expect.stringContaining("--offload"),
    ]);
    const help = addFields(new Command(), machineFields).helpInformation();
    expect(help).toContain("--memory-budget");
    expect(help).not.toContain("--room");
  });

  it.each([
    ["--steps", "four"],
    ["--steps", "0"],
    ["--steps", ""],
    ["--eta", "1.1"],
    ["--seeds", "3-1"],
    ["--seeds", "1.5"],
    ["--seeds", "0-999999999"],
    ["--timesteps", "1000"],
    ["--size", "64x"],
    ["--size", "0"],
    ["--size", "0x64"],
    ["--ratio", "0:1"],
    ["--tile", "3"],
    ["--spacing", "wide"],
    ["--guidance", "-1"],
  ])("refuses %s %j", (flag, value) => {
    expect(() => read(requestFields, flag, value)).toThrow(CommanderError);
  });

  it("refuses two flags of one field", () => {
    expect(() => read(requestFields, "--switch", "1", "--base-rows", "0,2")).toThrow(/cannot be used with/);
  });
});
