import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { checkReference } from "../../src/inspect/index.js";
import { resolveReference } from "../../src/lookup/index.js";
import { temporaryFolder } from "../support/folder.js";
import { singleGolden, tensorsOf, writeSingle } from "../support/single-file.js";

const root = temporaryFolder();
const embedded = (name: string) => resolveReference(`embedded:${name}`);
const sd1 = tensorsOf(singleGolden("sd1"));
const unet = "model.diffusion_model.";
const place = (name: string) => {
  const file = path.join(root, "models", name);
  mkdirSync(path.dirname(file), { recursive: true });
  return file;
};
const whole = writeSingle(place("checkpoints/v1-5.safetensors"), sd1);
const lone = writeSingle(
  place("unet/lone.safetensors"),
  Object.fromEntries(Object.entries(sd1).filter(([k]) => k.startsWith(unet))),
);
symlinkSync(embedded("adapters/blueprint.safetensors"), place("loras/blueprint.safetensors"));
writeFileSync(place("loras/page.safetensors"), "<!doctype html><html></html>");
const modelFolders = [{ kind: "comfy" as const, path: root }];

describe("models check", { timeout: 240_000 }, () => {
  it("says of a pipeline what it is, what fits it and what it takes", async () => {
    const report = await checkReference("embedded:base", { modelFolders });
    expect(report).toMatchObject({
      kind: "pipeline",
      about: "Stable Diffusion XL",
      because: [expect.stringMatching(/model_index\.json says StableDiffusionXLPipeline; .* 160 features/)],
      family: "sdxl",
      missing: [],
      pairs: ["embedded", "embedded-lora", "embedded-lcm"],
    });
    expect(report.parameters).toBe(report.components.reduce((n, c) => n + c.parameters, 0));
    expect(report.components.every((c) => c.unused.length === 0 && c.dtypes.join() === "float16")).toBe(true);
    const fits = Object.fromEntries(report.adapters.map((a) => [a.ref, a]));
    expect(fits["embedded:sliders/smile.base.safetensors"]).toMatchObject({
      fits: true,
      why: "changes 73 of 245 layers",
    });
    expect(fits["blueprint.safetensors"]?.fits).toBe(true);
    expect(fits["page.safetensors"]).toMatchObject({ fits: false, why: expect.stringMatching(/^is a web page/) });
    // A textual-inversion embedding is not an adapter.
    expect(Object.keys(fits).filter((name) => name.includes("pip"))).toEqual([]);
    const [all, one] = ["none", "sequential"].map((way) => report.memory?.find((n) => n.offload === way)?.bytes ?? 0);
    expect(all).toBeGreaterThan(one ?? 0);
    for (const need of report.memory ?? []) expect(need.peak?.stored).toBeGreaterThan(need.stored);
    expect(one).toBeGreaterThanOrEqual(4 * (report.components.find((c) => c.name === "unet")?.parameters ?? 0));
  });

  it("checks a model or adapter once, by whichever names it is given", async () => {
    const slider = "embedded:sliders/smile.base.safetensors";
    const { models } = await checkReference(slider, { base: "embedded:base" });
    expect(models.map((m) => m.ref)).toEqual(["embedded:base"]);
    const { adapters } = await checkReference("embedded:base", { adapters: ["smile.base"] });
    expect(adapters.filter((a) => a.ref.includes("smile.base")).map((a) => a.ref)).toEqual(["smile.base"]);
  });

  it("says of an adapter which models it fits, and why not others", async () => {
    const report = await checkReference("blue", { modelFolders });
    expect(report).toMatchObject({ kind: "adapter", path: path.join(root, "models/loras/blueprint.safetensors") });
    const fits = Object.fromEntries(report.models.map((m) => [m.ref, m]));
    expect(fits["embedded:base"]).toMatchObject({ fits: true });
    expect(fits["v1-5.safetensors"]).toMatchObject({
      fits: false,
      why: expect.stringMatching(/made for another model: .* is \[8, /),
    });
    const held = await checkReference("blue", { modelFolders, base: "v1-5" });
    expect(held.models.find((m) => m.ref === "v1-5")?.fits).toBe(false);
  });

  it("says what is wrong with an adapter that cannot be read, without its path", async () => {
    const [report] = (await checkReference("embedded:base", { adapters: ["package.json"] })).adapters;
    expect(report).toMatchObject({ ref: "package.json", fits: false });
    expect(report?.why).not.toContain("package.json:");
    expect(report?.why).not.toContain(process.cwd());
  });

  it("holds the adapters that are named against a model", async () => {
    const report = await checkReference(whole, { adapters: ["embedded:sliders/smile.base.safetensors"] });
    expect(report.adapters).toEqual([
      { ref: "embedded:sliders/smile.base.safetensors", fits: false, why: expect.stringMatching(/another model/) },
    ]);
  });

  it("finds an adapter of the package by its name", async () => {
    const report = await checkReference("smile.base", { base: "embedded:base" });
    expect(report).toMatchObject({ kind: "adapter", path: embedded("sliders/smile.base.safetensors") });
    expect(report.models).toMatchObject([{ ref: "embedded:base", fits: true }]);
  });

  it("says what a UNet alone lacks", async () => {
    const report = await checkReference("lone", { modelFolders });
    expect(report).toMatchObject({ kind: "unet", family: "sd1", memory: null, path: lone });
    expect(report.missing.join()).toMatch(/without text encoders.*--text-encoder/);
  });

  it.each([
    ["embedded:judge", "measure", /an attribute classifier/],
    ["embedded:clip", "measure", /a CLIPModel/],
    ["embedded:base/vae", "autoencoder", /4 latent channels/],
    ["embedded:base/text_encoder_2", "text encoder", /a CLIP text encoder/],
    ["embedded:distilled", "unet", /a UNet of Stable Diffusion XL/],
    ["embedded:adapters/pip.safetensors", "textual inversion", /a textual-inversion embedding/],
    ["embedded:adapters/distilled.safetensors", "adapter", /an adapter/],
  ] as const)("%s is a %s", async (ref, kind, about) => {
    const report = await checkReference(ref);
    expect(report).toMatchObject({ kind, about: expect.stringMatching(about) });
    expect(report.parameters).toBeGreaterThan(0);
  });
});

describe("a diffusers folder", { timeout: 240_000 }, () => {
  const folder = (change: (folder: string) => void): string => {
    const copy = path.join(temporaryFolder(), "model");
    cpSync(embedded("base"), copy, { recursive: true });
    change(copy);
    return copy;
  };
  const index = (extra: object) => (copy: string) => {
    const file = path.join(copy, "model_index.json");
    const own: object = JSON.parse(readFileSync(file, "utf8"));
    writeFileSync(file, JSON.stringify({ ...own, ...extra }));
  };

  it("opens with parts that nobody needs missing, and says what it leaves out", async () => {
    const extras = {
      safety_checker: ["stable_diffusion", "StableDiffusionSafetyChecker"],
      feature_extractor: [null, null],
      image_encoder: ["transformers", "CLIPVisionModelWithProjection"],
      brand_new: ["somebody", "Something"],
    };
    const { notes, missing } = await checkReference(folder(index(extras)));
    expect(missing).toEqual([]);
    expect(notes).toContain("safety_checker (StableDiffusionSafetyChecker) is left out: no picture needs it");
    expect(notes).toContain("brand_new (Something) is left out: unknown here");
    expect(notes.filter((n) => n.includes("feature_extractor"))).toEqual([]);
  });

  it("opens without model_index.json where its parts are there", async () => {
    const { about, because, notes, missing, kind } = await checkReference(
      folder((copy) => {
        rmSync(path.join(copy, "model_index.json"));
        rmSync(path.join(copy, "scheduler"), { recursive: true });
      }),
    );
    expect({ about, missing, kind }).toEqual({ about: "Stable Diffusion XL", missing: [], kind: "pipeline" });
    expect(because.join()).toMatch(/its folders are named as a pipeline's/);
    expect(notes.join("\n")).toMatch(
      /model_index\.json is missing.*\n.*scheduler\/ is missing: taken as .* was trained/,
    );
  });

  it("says which of two precisions is opened", async () => {
    const { notes } = await checkReference(
      folder((copy) => {
        const file = (name: string) => path.join(copy, "unet", name);
        cpSync(file("diffusion_pytorch_model.safetensors"), file("diffusion_pytorch_model.fp16.safetensors"));
      }),
    );
    expect(notes).toContainEqual(
      expect.stringMatching(/^unet: diffusion_pytorch_model\.safetensors .*diffusion_pytorch_model\.fp16\.safetensors/),
    );
  });

  it.each([
    ["FluxKontextPipeline", "FLUX.1 Kontext, for image editing"],
    ["StableDiffusion3InpaintPipeline", "Stable Diffusion 3 for inpainting or image to image"],
    ["WanPipeline", "Wan"],
  ])("of another family is refused: %s is %s", async (name, family) => {
    await expect(checkReference(folder(index({ _class_name: name })))).rejects.toThrow(
      `says ${name}: ${family}; Stable Diffusion 1.x, 2.x and XL, Z-Image, `,
    );
  });

  it("of another family's transformer alone is refused by its class", async () => {
    const transformer = temporaryFolder();
    writeFileSync(path.join(transformer, "config.json"), JSON.stringify({ _class_name: "LuminaNextDiT2DModel" }));
    await expect(checkReference(transformer)).rejects.toThrow(/says LuminaNextDiT2DModel: Lumina; /);
  });
});
