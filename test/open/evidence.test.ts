import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { DISTILLED_KEY } from "../../src/catalogue/node/index.js";
import { safetensors } from "../../src/checkpoint/index.js";
import { readTensors } from "../../src/checkpoint/node/index.js";
import { type GenerateRequest, guessedSchedule, planFor, settingsFor } from "../../src/generate/index.js";
import { resolveReference } from "../../src/lookup/index.js";
import { openPlanSource } from "../../src/open/index.js";
import { temporaryFolder } from "../support/folder.js";

const LORA = resolveReference("embedded:adapters/distilled.safetensors");
const LCM_LORA = "a764e6859b6e04047cd761c08ff0cee96413a8e004c9f07707530cd776b19141";
const base = "embedded:base";
const distilled = { prompts: ["x"], mode: "distilled" } satisfies GenerateRequest;

/** The embedded LoRA under another name. */
function copied(name: string): string {
  const file = path.join(temporaryFolder(), name);
  mkdirSync(path.dirname(file), { recursive: true });
  cpSync(LORA, file);
  return file;
}
const schedulerOf = async (reference: Parameters<typeof openPlanSource>[0]) =>
  settingsFor(await openPlanSource(reference), distilled).distilled?.scheduler;

describe("a pair that is opened without its name", () => {
  it("is the named one, if both of its models are", async () => {
    const [named, opened] = [
      await openPlanSource({ pair: "embedded" }),
      await openPlanSource({ base, distilled: "embedded:distilled" }),
    ];
    for (const mode of ["base", "distilled", "hybrid"] as const) {
      expect(planFor(opened, { mode })).toEqual(planFor(named, { mode }));
    }
    expect(opened.row?.name).toBe("embedded");
    expect(settingsFor(opened, distilled).distilled?.timesteps).toEqual({
      value: [999, 749, 499, 249],
      from: "recognised",
      pair: "embedded",
      by: "reference",
      match: "embedded:distilled",
    });
  });

  it("is the same under the paths of the package's files", async () => {
    const opened = await openPlanSource({ base: resolveReference(base), distilled: LORA });
    expect(opened.row?.name).toBe("embedded-lora");
  });

  it("takes the schedule of the distilled model by its file name", async () => {
    const file = copied("dmd2_sdxl_4step_lora.safetensors");
    expect(await schedulerOf({ base, distilled: file })).toMatchObject({ pair: "sdxl-dmd2-lora", by: "name" });
  });

  it("takes it by the file's metadata", async () => {
    const file = path.join(temporaryFolder(), "few.safetensors");
    const tensors = Object.fromEntries(await readTensors(LORA));
    writeFileSync(file, safetensors(tensors, { "modelspec.title": "SDXL Lightning 8-step" }));
    expect(await schedulerOf({ base, distilled: file })).toMatchObject({
      value: "EulerDiscreteScheduler",
      pair: "sdxl-lightning-8-lora",
      by: "metadata",
    });
  });

  it("takes it from the model that a LoRA was extracted of", async () => {
    const file = path.join(temporaryFolder(), "few.safetensors");
    const tensors = Object.fromEntries(await readTensors(LORA));
    for (const [distilled, pair] of [
      ["embedded:distilled", "embedded"],
      ["ByteDance/SDXL-Lightning/sdxl_lightning_2step_unet.safetensors", "sdxl-lightning-2"],
      ["hyper_sdxl_8step", "sdxl-hyper-8"],
    ] as const) {
      writeFileSync(file, safetensors(tensors, { [DISTILLED_KEY]: distilled }));
      expect(await schedulerOf({ base, distilled: file })).toMatchObject({ pair, by: "metadata" });
    }
  });

  it("takes it by a hash beside the file, or of its blob in the Hub's cache", async () => {
    const file = copied("few.safetensors");
    expect(await schedulerOf({ base, distilled: file })).toMatchObject({ from: "base" });
    writeFileSync(`${file}.sha256`, `${LCM_LORA.toUpperCase()}  few.safetensors\n`);
    expect(await schedulerOf({ base, distilled: file })).toMatchObject({ pair: "sdxl-lcm-lora", by: "hash" });
    const link = path.join(temporaryFolder(), "other.safetensors");
    symlinkSync(copied(LCM_LORA), link);
    expect(await schedulerOf({ base, distilled: link })).toMatchObject({ pair: "sdxl-lcm-lora", by: "hash" });
  });

  it("has the schedule of a pair that the request names, whatever the file", async () => {
    const file = copied("lightning.safetensors");
    expect(await schedulerOf({ pair: "sdxl-dmd2", base, distilled: file })).toEqual({
      value: "LCMScheduler",
      from: "pair",
      pair: "sdxl-dmd2",
    });
  });
});

describe("a distilled model that is not recognised", async () => {
  const source = await openPlanSource({ base, distilled: copied("few.safetensors") });

  it("runs on the base's schedule, and a notice says so", () => {
    expect(guessedSchedule(source, distilled)).toMatch(
      /few\.safetensors: it runs 4 steps of the base's DPMSolverMultistepScheduler, which is a guess\. --pair .*\(sdxl-dmd2, sdxl-turbo, .*--scheduler and --timesteps/,
    );
  });

  it.each<[string, Partial<GenerateRequest>]>([
    ["the base alone", { mode: "base" }],
    ["a scheduler that was asked for", { scheduler: "LCMScheduler" }],
    ["timesteps that were asked for", { timesteps: [999, 499] }],
  ])("needs none for %s", (_, request) => {
    expect(guessedSchedule(source, { ...distilled, ...request })).toBeNull();
  });
});
