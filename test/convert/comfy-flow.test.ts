import { describe, expect, it } from "vitest";
import { PAIRS, pairNamed } from "../../src/catalogue/index.js";
import { type ComfyWorkflow, comfyWorkflow } from "../../src/convert/index.js";
import { type GenerateRequest, type PlanSource, planFor } from "../../src/generate/index.js";
import { knownPair, type PairReference } from "../../src/open/index.js";
import { expectValid, linked, nodeOf, nodesOf } from "../support/comfy.js";

const PROMPT = "a harbour (at dawn)";
const SIZE = { width: 832, height: 1216 };

function sourceOf(name: string): PlanSource {
  const source = knownPair(pairNamed(name, PAIRS));
  if (!source) throw new Error(`${name} has no scheduler`);
  return source;
}

/** The workflow of a request, checked against ComfyUI's node definitions. */
async function made(
  pair: string,
  request: Partial<GenerateRequest> = {},
  reference: PairReference = {},
): Promise<ComfyWorkflow> {
  const written = await comfyWorkflow(sourceOf(pair), { prompts: [PROMPT], size: SIZE, ...request }, reference);
  expectValid(written.workflow);
  return written;
}

const samplers = ({ workflow }: ComfyWorkflow) => nodesOf(workflow, "SamplerCustomAdvanced");
/** σ of each sampler node. */
const sigmasOf = (written: ComfyWorkflow) =>
  samplers(written).map(({ inputs }) =>
    String(linked(written.workflow, inputs["sigmas"]).inputs["sigmas"]).split(", ").map(Number),
  );
const guidersOf = (written: ComfyWorkflow) =>
  samplers(written).map(({ inputs }) => linked(written.workflow, inputs["guider"]));
const filesOf = ({ files }: ComfyWorkflow) => files.map(({ path }) => path);

describe("workflows of flow matching families", () => {
  it.each([
    ["zimage-turbo", { switch: 3, baseGuidance: 3 }],
    ["zimage-turbo", { switch: 3, baseSteps: 20, baseGuidance: 3, guidanceTruncation: 0.1 }],
    ["klein-4b", {}],
    ["flux1-schnell", { baseSteps: 12 }],
    ["flux1-turbo-alpha", { mode: "distilled" }],
    ["chroma-flash", { baseGuidance: 4, negative: "sad" }],
    ["qwen-image-lightning-8", {}],
    ["qwen-image-lightning-4", { baseSteps: 12 }],
    ["sd35-large-turbo", { baseSteps: 12, baseGuidance: 4.5, negative: "sad" }],
  ] as const)("take the plan's steps: %s %j", async (pair, request) => {
    const written = await made(pair, request);
    const { rows } = planFor(sourceOf(pair), { size: SIZE, ...request });
    const steps = samplers(written).flatMap((node, i) => {
      const sigmas = sigmasOf(written)[i] ?? [];
      const model = node._meta.title.split(":")[0];
      return sigmas.slice(1).map((to, j) => ({ model, from: sigmas[j], to }));
    });
    expect(steps.length).toBe(rows.length);
    for (const [i, row] of rows.entries()) {
      if (row.kind !== "step") throw new Error("expected a step");
      expect(steps[i]?.model).toBe(row.model);
      expect(steps[i]?.from).toBeCloseTo(row.at.sigma, 8);
      expect(steps[i]?.to).toBeCloseTo(row.to.sigma, 8);
    }
    expect(sigmasOf(written).at(-1)?.at(-1)).toBe(0);
  });

  it("are refused for Qwen-Image with guidance, which ComfyUI combines otherwise", async () => {
    await expect(made("qwen-image-lightning-8", { baseGuidance: 4 })).rejects.toThrow(
      /ComfyUI's guidance leaves the norms of image tokens/,
    );
  });

  it("draw the seed's noise once, and hand latents over as they are", async () => {
    const written = await made("zimage-turbo", { seeds: [7], baseGuidance: 0 });
    const [first, second, ...others] = samplers(written);
    expect(others).toEqual([]);
    expect(linked(written.workflow, first?.inputs["noise"])).toMatchObject({
      class_type: "RandomNoise",
      inputs: { noise_seed: 7 },
    });
    expect(linked(written.workflow, first?.inputs["latent_image"])).toMatchObject({
      class_type: "EmptySD3LatentImage",
      inputs: { ...SIZE, batch_size: 1 },
    });
    expect(linked(written.workflow, second?.inputs["noise"]).class_type).toBe("DisableNoise");
    expect(linked(written.workflow, second?.inputs["latent_image"])).toBe(first);
    expect(nodeOf(written.workflow, "KSamplerSelect").inputs).toEqual({ sampler_name: "euler" });
    expect(sigmasOf(written)[0]?.at(-1)).toBe(sigmasOf(written)[1]?.[0]);
  });

  it("write Z-Image's guidance in the usual scale, g + 1, and an empty negative prompt", async () => {
    const written = await made("zimage-turbo", { baseGuidance: 3 });
    const [base, distilled] = guidersOf(written);
    expect(base).toMatchObject({ class_type: "CFGGuider", inputs: { cfg: 4 } });
    expect(linked(written.workflow, base?.inputs["negative"]).inputs["text"]).toBe("");
    expect(linked(written.workflow, base?.inputs["positive"]).inputs["text"]).toBe("a harbour \\(at dawn\\)");
    expect(distilled?.class_type).toBe("BasicGuider");
    expect(nodeOf(written.workflow, "CLIPLoader").inputs).toEqual({
      clip_name: "qwen_3_4b.safetensors",
      type: "lumina2",
    });
    expect(filesOf(written)).toEqual([
      "diffusion_models/Z-Image.safetensors",
      "diffusion_models/z_image_turbo_bf16.safetensors",
      "text_encoders/qwen_3_4b.safetensors",
      "vae/ae.safetensors",
    ]);
  });

  it("name FLUX.2's latents, autoencoder and the text encoder of each size", async () => {
    const small = await made("klein-4b");
    expect(nodeOf(small.workflow, "EmptyFlux2LatentImage").inputs).toEqual({ ...SIZE, batch_size: 1 });
    expect(nodeOf(small.workflow, "CLIPLoader").inputs).toMatchObject({
      clip_name: "qwen_3_4b.safetensors",
      type: "flux2",
    });
    const large = await made("klein-9b");
    expect(nodeOf(large.workflow, "CLIPLoader").inputs).toMatchObject({ clip_name: "qwen_3_8b.safetensors" });
    expect(filesOf(large)).toContain("vae/flux2-vae.safetensors");
  });

  it("give dev and schnell of FLUX.1 text of their lengths, and dev its guidance", async () => {
    const written = await made("flux1-schnell");
    expect(nodeOf(written.workflow, "DualCLIPLoader").inputs).toEqual({
      clip_name1: "clip_l.safetensors",
      clip_name2: "t5xxl_fp16.safetensors",
      type: "flux",
    });
    const [dev, schnell] = guidersOf(written).map(({ inputs }) => linked(written.workflow, inputs["conditioning"]));
    expect(dev).toMatchObject({ class_type: "FluxGuidance", inputs: { guidance: 3.5 } });
    const paddingOf = (encode: typeof dev) => linked(written.workflow, encode?.inputs["clip"]).inputs;
    expect(paddingOf(linked(written.workflow, dev?.inputs["conditioning"]))).toMatchObject({
      min_padding: 0,
      min_length: 512,
    });
    expect(schnell?.class_type).toBe("CLIPTextEncode");
    expect(paddingOf(schnell)).toMatchObject({ min_padding: 0, min_length: 256 });
    const truly = await made("flux1-turbo-alpha", { mode: "distilled", trueGuidance: 2.5, negative: "sad" });
    const [own] = guidersOf(truly);
    expect(own).toMatchObject({ class_type: "CFGGuider", inputs: { cfg: 2.5 } });
    for (const side of ["positive", "negative"]) {
      expect(linked(truly.workflow, own?.inputs[side])).toMatchObject({
        class_type: "FluxGuidance",
        inputs: { guidance: 3.5 },
      });
    }
    const [guided] = guidersOf(await made("flux1-schnell", { mode: "distilled", guidance: 2, negative: "sad" }));
    expect(guided).toMatchObject({ class_type: "CFGGuider", inputs: { cfg: 2 } });
  });

  it("load few-step LoRAs of FLUX.1 at their authors' scales, and other adapters on models and text encoders", async () => {
    const hyper = await made("flux1-hyper-8", {}, { adapters: [{ ref: "ink.safetensors", scale: 0.6, on: "base" }] });
    expect(nodeOf(hyper.workflow, "LoraLoaderModelOnly").inputs).toMatchObject({
      lora_name: "Hyper-FLUX.1-dev-8steps-lora.safetensors",
      strength_model: 0.125,
    });
    expect(nodesOf(hyper.workflow, "LoraLoader").map(({ inputs }) => inputs["strength_model"])).toEqual([0.6]);
    const turbo = await made("flux1-turbo-alpha");
    expect(nodeOf(turbo.workflow, "LoraLoaderModelOnly").inputs).toMatchObject({
      lora_name: "FLUX.1-Turbo-Alpha.safetensors",
      strength_model: 1,
    });
  });

  it("load Stable Diffusion 3 from one file with its autoencoder, and three text encoders beside it", async () => {
    const written = await made("sd35-large-turbo", { baseGuidance: 4.5 });
    expect(filesOf(written)).toEqual([
      "checkpoints/stable-diffusion-3.5-large.safetensors",
      "diffusion_models/stable-diffusion-3.5-large-turbo.safetensors",
      "text_encoders/clip_l.safetensors",
      "text_encoders/clip_g.safetensors",
      "text_encoders/t5xxl_fp16.safetensors",
    ]);
    expect(nodeOf(written.workflow, "TripleCLIPLoader").inputs).toEqual({
      clip_name1: "clip_l.safetensors",
      clip_name2: "clip_g.safetensors",
      clip_name3: "t5xxl_fp16.safetensors",
    });
    expect(nodeOf(written.workflow, "T5TokenizerOptions").inputs).toMatchObject({ min_padding: 0, min_length: 256 });
    const [base, turbo] = guidersOf(written);
    expect(linked(written.workflow, base?.inputs["model"]).class_type).toBe("CheckpointLoaderSimple");
    expect(linked(written.workflow, turbo?.inputs["model"]).class_type).toBe("UNETLoader");
    const decode = nodeOf(written.workflow, "VAEDecode").inputs["vae"];
    expect(linked(written.workflow, decode).class_type).toBe("CheckpointLoaderSimple");
    const own = await made("sd35-large-turbo", {}, { decoder: "madebyollin/taesd3" });
    expect(nodeOf(own.workflow, "VAELoader").inputs).toEqual({ vae_name: "taesd3" });
    expect(filesOf(own)[0]).toBe("diffusion_models/stable-diffusion-3.5-large.safetensors");
  });

  it("name the published text encoders of the kinds of which the request names none", async () => {
    const t5 = await made("flux1-schnell", {}, { textEncoders: ["my-t5xxl_fp8.safetensors"] });
    expect(nodeOf(t5.workflow, "DualCLIPLoader").inputs).toEqual({
      clip_name1: "clip_l.safetensors",
      clip_name2: "my-t5xxl_fp8.safetensors",
      type: "flux",
    });
    const clips = ["longclip_l.safetensors", "my-clip-g.safetensors"];
    expect(
      nodeOf((await made("sd35-large-turbo", {}, { textEncoders: clips })).workflow, "TripleCLIPLoader").inputs,
    ).toEqual({
      clip_name1: "longclip_l.safetensors",
      clip_name2: "my-clip-g.safetensors",
      clip_name3: "t5xxl_fp16.safetensors",
    });
    await expect(made("flux1-schnell", {}, { textEncoders: ["big.safetensors"] })).rejects.toThrow(
      /--text-encoder big.safetensors leaves open which of CLIP ViT-L, T5 XXL are given; name all of them/,
    );
    await expect(made("sd35-large-turbo", {}, { textEncoders: ["clip_l.safetensors"] })).rejects.toThrow(
      /name all of them/,
    );
  });

  it("leave Chroma one token of padding", async () => {
    const written = await made("chroma-flash", { baseGuidance: 4, negative: "sad" });
    expect(nodeOf(written.workflow, "T5TokenizerOptions").inputs).toMatchObject({ min_padding: 1, min_length: 0 });
    expect(nodeOf(written.workflow, "CLIPLoader").inputs).toMatchObject({ type: "chroma" });
    const [base] = guidersOf(written);
    expect(linked(written.workflow, base?.inputs["negative"]).inputs["text"]).toBe("sad");
  });

  it("take the request's text encoder and autoencoder, and TAEF1 by ComfyUI's name", async () => {
    const own = await made(
      "zimage-turbo",
      {},
      { textEncoders: ["my-qwen.safetensors"], decoder: "my-vae.safetensors" },
    );
    expect(nodeOf(own.workflow, "CLIPLoader").inputs).toMatchObject({ clip_name: "my-qwen.safetensors" });
    expect(nodeOf(own.workflow, "VAELoader").inputs).toEqual({ vae_name: "my-vae.safetensors" });
    const tiny = await made("flux1-schnell", {}, { decoder: "madebyollin/taef1" });
    expect(nodeOf(tiny.workflow, "VAELoader").inputs).toEqual({ vae_name: "taef1" });
    expect(filesOf(tiny)).toContain("vae_approx/taef1_decoder.safetensors");
  });

  it.each<[string, Partial<GenerateRequest>, RegExp]>([
    ["normalised guidance", { baseGuidance: 3, guidanceNormalization: 1 }, /leave --guidance-normalization out/],
    ["rescaled guidance", { baseGuidance: 3, guidanceRescale: 0.5 }, /leave --guidance-rescale out/],
    ["A1111's syntax", { promptSyntax: "a1111" }, /--prompt-syntax comfy or plain/],
  ])("refuse %s", async (_, request, message) => {
    await expect(made("zimage-turbo", request)).rejects.toThrow(message);
  });
});
