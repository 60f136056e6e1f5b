import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { PAIRS, pairNamed } from "../../src/catalogue/index.js";
import { type ComfyWorkflow, comfyWorkflow } from "../../src/convert/index.js";
import { RequestError } from "../../src/errors.js";
import type { GenerateRequest, PlanSource } from "../../src/generate/index.js";
import { knownPair, openPair, openPlanSource, type PairReference } from "../../src/open/index.js";
import { expectValid, linked, nodeOf, nodesOf } from "../support/comfy.js";
import { temporaryFolder } from "../support/folder.js";

const PROMPT = "a harbour at dawn";
const SIZE = { width: 832, height: 1216 };

function sourceOf(name: string): PlanSource {
  const source = knownPair(pairNamed(name, PAIRS));
  if (!source) throw new Error(`${name} has no scheduler`);
  return source;
}

/** The workflow of a request, checked against ComfyUI's node definitions. */
async function made(
  request: Partial<GenerateRequest>,
  reference: PairReference = {},
  pair = "sdxl-dmd2",
): Promise<ComfyWorkflow> {
  const written = await comfyWorkflow(sourceOf(pair), { prompts: [PROMPT], size: SIZE, ...request }, reference);
  expectValid(written.workflow);
  return written;
}

const base = { mode: "base", steps: 6 } as const;

describe("schedules", () => {
  it("runs the plain hybrid with two KSamplerAdvanced, because `simple` takes the timesteps 999, 749, 499, 249", async () => {
    const { workflow, notices } = await made({ seeds: [5] });
    const [first, second, ...others] = nodesOf(workflow, "KSamplerAdvanced");
    expect(others).toEqual([]);
    const shared = { steps: 4, sampler_name: "lcm", scheduler: "simple", cfg: 1 };
    expect(first?.inputs).toMatchObject({
      ...shared,
      add_noise: "enable",
      noise_seed: 5,
      start_at_step: 0,
      end_at_step: 1,
      return_with_leftover_noise: "enable",
    });
    expect(second?.inputs).toMatchObject({
      ...shared,
      add_noise: "disable",
      noise_seed: 5 + 2 ** 32,
      start_at_step: 1,
      end_at_step: 4,
      return_with_leftover_noise: "disable",
    });
    expect(linked(workflow, first?.inputs["model"]).class_type).toBe("DiffusersLoader");
    expect(linked(workflow, second?.inputs["model"]).inputs).toMatchObject({
      unet_name: "dmd2_sdxl_4step_unet_fp16.bin",
    });
    expect(linked(workflow, second?.inputs["latent_image"])).toBe(first);
    expect(nodeOf(workflow, "EmptyLatentImage").inputs).toEqual({ ...SIZE, batch_size: 1 });
    expect(notices).toEqual([expect.stringContaining("lcm")]);
  });

  it("writes the sigmas of other schedules in decimals", async () => {
    const { workflow } = await made({ ...base, scheduler: "euler", sigmas: "karras" });
    const [initial, sigmas] = nodesOf(workflow, "ManualSigmas").map(({ inputs }) => String(inputs["sigmas"]));
    expect(sigmas).toMatch(/^14\.61464\d*(, \d+\.\d+){5}, 0$/);
    // diffusers' Euler begins at σ where its timesteps begin at the last one.
    expect(Number(initial)).toBeCloseTo(Number.parseFloat(sigmas ?? ""), 6);
    expect(nodeOf(workflow, "SamplerCustom").inputs).toMatchObject({ add_noise: false, noise_seed: 2 ** 32 });
    expect(nodeOf(workflow, "KSamplerSelect").inputs).toEqual({ sampler_name: "euler" });
  });

  it("begins with unit noise in the latents x, which is √(1 + σ²) in x / α", async () => {
    const { workflow } = await made({ mode: "distilled" }, {}, "sdxl-dmd2-1");
    const [initial, sigmas] = nodesOf(workflow, "ManualSigmas").map(({ inputs }) => String(inputs["sigmas"]));
    // ᾱ at timestep 399 of Stable Diffusion is 0.426086: σ = √(1 / ᾱ − 1) = 1.160578.
    expect(sigmas).toMatch(/^1\.16057\d*, 0$/);
    expect(Number(initial) ** 2).toBeCloseTo(1 + Number.parseFloat(sigmas ?? "") ** 2, 6);
  });

  it("adds noise between schedules of the two models, up to the distilled model's level", async () => {
    const { workflow } = await made({ baseSteps: 10, seeds: [3] });
    const [first, second] = nodesOf(workflow, "SamplerCustom");
    const again = linked(workflow, second?.inputs["latent_image"]);
    expect(again.class_type).toBe("AddNoise");
    expect(linked(workflow, again.inputs["latent_image"])).toBe(first);
    const sigma = (link: unknown) => linked(workflow, link as never).inputs["sigmas"];
    const numbers = (text: unknown) => String(text).split(", ").map(Number);
    const reached = numbers(sigma(first?.inputs["sigmas"])).at(-1) ?? 0;
    const [target = 0] = numbers(sigma(second?.inputs["sigmas"]));
    const added = Number(sigma(again.inputs["sigmas"]));
    expect(added).toBeGreaterThan(0);
    expect(reached ** 2 + added ** 2).toBeCloseTo(target ** 2, 6);
    const seeds = nodesOf(workflow, "RandomNoise").map(({ inputs }) => inputs["noise_seed"]);
    const all = [...seeds, first?.inputs["noise_seed"], second?.inputs["noise_seed"]];
    expect(new Set(all).size).toBe(4);
  });

  it("has a node for each change of model", async () => {
    const { workflow } = await made({ switch: [1, 3] });
    expect(nodesOf(workflow, "KSamplerAdvanced").map(({ _meta }) => _meta.title)).toEqual([
      "distilled: steps 0 to 1",
      "base: steps 1 to 2",
      "distilled: steps 2 to 3",
      "base: steps 3 to 4",
    ]);
  });

  it.each([
    ["v_prediction", "v_prediction"],
    ["sample", "x0"],
  ] as const)("names the prediction type %s", async (prediction, sampling) => {
    const { workflow } = await made({ ...base, scheduler: "euler", prediction });
    expect(nodeOf(workflow, "ModelSamplingDiscrete").inputs).toMatchObject({ sampling, zsnr: false });
  });

  it("says where ComfyUI's images differ", async () => {
    expect((await made({ ...base, scheduler: "euler" })).notices).toEqual([]);
    expect((await made({ ...base, scheduler: "euler", sigmas: "karras" })).notices).toEqual([
      expect.stringContaining("whole timesteps"),
    ]);
    expect((await made({ ...base, scheduler: "ddim", spacing: "trailing" })).notices).toEqual([
      "a step ends at timestep 833, the next begins at 832; ComfyUI joins them: images differ slightly",
    ]);
  });
});

describe("text", () => {
  it("encodes zeros without a negative prompt for SDXL, an empty text for SD 1.x", async () => {
    const zeros = (await made({ baseGuidance: 4 })).workflow;
    const [first] = nodesOf(zeros, "KSamplerAdvanced");
    expect(first?.inputs["cfg"]).toBe(4);
    expect(linked(zeros, first?.inputs["negative"]).class_type).toBe("ConditioningZeroOut");
    const empty = (await made({ baseGuidance: 4 }, {}, "sd15-hyper-4")).workflow;
    expect(nodesOf(empty, "CLIPTextEncode").map(({ inputs }) => inputs["text"])).toEqual([PROMPT, ""]);
    const sad = (await made({ baseGuidance: 4, negative: "sad" })).workflow;
    expect(nodesOf(sad, "CLIPTextEncode").map(({ inputs }) => inputs["text"])).toEqual([PROMPT, "sad"]);
  });

  it("escapes brackets of plain prompts, and leaves ComfyUI's syntax", async () => {
    const prompts = ["a (red:1.3) hat"];
    const text = async (promptSyntax: "plain" | "comfy") =>
      nodeOf((await made({ prompts, promptSyntax })).workflow, "CLIPTextEncode").inputs["text"];
    expect(await text("plain")).toBe("a \\(red:1.3\\) hat");
    expect(await text("comfy")).toBe("a (red:1.3) hat");
  });

  it.each([
    ["sdxl-dmd2", -3],
    ["sd15-hyper-4", -2],
    ["sd-turbo", -3],
  ])("clip skip 1 of %s is layer %d", async (pair, layer) => {
    const { workflow } = await made({ clipSkip: 1 }, {}, pair);
    expect(nodeOf(workflow, "CLIPSetLastLayer").inputs["stop_at_clip_layer"]).toBe(layer);
  });

  it("makes an image for each prompt and seed, with shared loaders", async () => {
    const { workflow } = await made({ prompts: ["a", "b"], seeds: [1, 2, 3] });
    expect(nodesOf(workflow, "SaveImage").map(({ inputs }) => inputs["filename_prefix"])).toEqual(
      ["0-1", "0-2", "0-3", "1-1", "1-2", "1-3"].map((name) => `variegate-${name}`),
    );
    expect(nodesOf(workflow, "CLIPTextEncode")).toHaveLength(2);
    expect(nodesOf(workflow, "KSamplerAdvanced")).toHaveLength(12);
    expect(nodesOf(workflow, "UNETLoader")).toHaveLength(1);
  });
});

describe("models", () => {
  it("of every named pair are loaded, but for those whose scheduler or network ComfyUI itself does not have", async () => {
    const rows = PAIRS.filter(({ scheduler }) => scheduler);
    const refused: string[] = [];
    for (const { name } of rows) {
      await made({}, {}, name).catch((error: unknown) => {
        expect(error).toBeInstanceOf(RequestError);
        expect(String(error)).toMatch(/(TCD|guidance scale as an input).*; use |no workflows for SANA/);
        refused.push(name);
      });
    }
    expect(refused).toEqual(
      rows
        .filter(
          ({ family, guidanceFeatures, sampling: { distilled } }) =>
            distilled.scheduler === "TCDScheduler" || guidanceFeatures !== null || family === "sana",
        )
        .map(({ name }) => name),
    );
    expect(rows.length - refused.length).toBeGreaterThan(20);
  });

  it("loads a distilled LoRA on the base, and adapters on network and text encoders of their models", async () => {
    const adapters = [
      { ref: "ink.safetensors", scale: 0.8 },
      { ref: "owner/grain/pytorch_lora_weights.safetensors", on: "base" as const },
    ];
    const { workflow, files } = await made({}, { adapters }, "sdxl-dmd2-lora");
    const [first, second] = nodesOf(workflow, "KSamplerAdvanced");
    const chain = linked(workflow, first?.inputs["model"]);
    expect(chain.inputs).toMatchObject({ lora_name: "grain.safetensors", strength_model: 1, strength_clip: 1 });
    expect(linked(workflow, chain.inputs["model"]).inputs).toMatchObject({
      lora_name: "ink.safetensors",
      strength_model: 0.8,
      strength_clip: 0.8,
    });
    const other = linked(workflow, second?.inputs["model"]);
    expect(other.inputs["lora_name"]).toBe("ink.safetensors");
    expect(linked(workflow, other.inputs["model"]).inputs).toMatchObject({
      lora_name: "dmd2_sdxl_4step_lora_fp16.safetensors",
      strength_model: 1,
    });
    expect(nodesOf(workflow, "CLIPTextEncode")).toHaveLength(2);
    expect(files.map(({ path }) => path)).toEqual([
      "diffusers/stable-diffusion-xl-base-1.0",
      "loras/dmd2_sdxl_4step_lora_fp16.safetensors",
      "loras/ink.safetensors",
      "loras/grain.safetensors",
    ]);
  });

  it("loads text encoders, autoencoders and TAESD", async () => {
    const textEncoders = ["clip_l.safetensors", "clip_g.safetensors"];
    const written = await made({}, { textEncoders, decoder: "madebyollin/taesdxl" });
    expect(nodeOf(written.workflow, "DualCLIPLoader").inputs).toEqual({
      clip_name1: "clip_l.safetensors",
      clip_name2: "clip_g.safetensors",
      type: "sdxl",
    });
    expect(nodeOf(written.workflow, "VAELoader").inputs).toEqual({ vae_name: "taesdxl" });
    expect(written.files.slice(-2).map(({ path }) => path)).toEqual([
      "vae_approx/taesdxl_decoder.safetensors",
      "vae_approx/taesdxl_encoder.safetensors",
    ]);
    const vae = await made({}, { decoder: "madebyollin/sdxl-vae-fp16-fix" });
    expect(nodeOf(vae.workflow, "VAELoader").inputs).toEqual({ vae_name: "sdxl-vae-fp16-fix.safetensors" });
    const one = await made({}, { textEncoders: ["l.safetensors"] }, "sd15-hyper-4");
    expect(nodeOf(one.workflow, "CLIPLoader").inputs).toEqual({ clip_name: "l.safetensors", type: "stable_diffusion" });
  });

  it("loads a base of one file, and one without text encoders and autoencoder", async () => {
    const source = { ...sourceOf("sdxl-dmd2") };
    const file = { ...source, base: { ...source.base, ref: "models/sd_xl_base_1.0.safetensors" } };
    const request = { prompts: [PROMPT] };
    const whole = await comfyWorkflow(file, request);
    expectValid(whole.workflow);
    expect(nodeOf(whole.workflow, "CheckpointLoaderSimple").inputs["ckpt_name"]).toBe("sd_xl_base_1.0.safetensors");
    const parts = { textEncoders: ["l.safetensors", "g.safetensors"], decoder: "vae.safetensors" };
    const alone = await comfyWorkflow(file, request, parts);
    expectValid(alone.workflow);
    expect(nodesOf(alone.workflow, "UNETLoader").map(({ inputs }) => inputs["unet_name"])).toEqual([
      "sd_xl_base_1.0.safetensors",
      "dmd2_sdxl_4step_unet_fp16.bin",
    ]);
  });

  it("lists no file that the plan does not use", async () => {
    const { files } = await made({ ...base, scheduler: "euler" });
    expect(files).toEqual([
      { path: "diffusers/stable-diffusion-xl-base-1.0", ref: "stabilityai/stable-diffusion-xl-base-1.0" },
    ]);
  });

  it("names models as they lie in ComfyUI's folder", async () => {
    const root = temporaryFolder();
    const place = (name: string) => {
      mkdirSync(path.dirname(path.join(root, "models", name)), { recursive: true });
      writeFileSync(path.join(root, "models", name), "");
      return path.join(root, "models", name);
    };
    const inside = place("checkpoints/xl/base.safetensors");
    const few = place("checkpoints/few.safetensors");
    place("loras/style/ink.safetensors");
    const source = sourceOf("sdxl-dmd2");
    const local = {
      ...source,
      base: { ...source.base, ref: "base", path: inside },
      distilled: { ...source.base, ref: "few", path: few, isLora: false },
    };
    const modelFolders = [{ kind: "comfy" as const, path: root }];
    const unet = { ...local, base: { ...local.base, path: place("diffusion_models/alone.safetensors") } };
    await expect(comfyWorkflow(unet, { prompts: [PROMPT] }, { modelFolders })).rejects.toThrow(
      /base is a UNet alone; name its text encoders/,
    );
    const { workflow, files } = await comfyWorkflow(
      local,
      { prompts: [PROMPT] },
      { modelFolders, adapters: [{ ref: "ink" }] },
    );
    expectValid(workflow);
    expect(nodesOf(workflow, "CheckpointLoaderSimple").map(({ inputs }) => inputs["ckpt_name"])).toEqual([
      path.join("xl", "base.safetensors"),
      "few.safetensors",
    ]);
    expect(files.at(-1)?.path).toBe(`loras/${path.join("style", "ink.safetensors")}`);
  });

  it("names textual inversions by their files", async () => {
    const embeddings = [{ ref: "owner/cat/learned_embeds.safetensors", token: "<cat>" }];
    const { workflow } = await made({ prompts: ["a <cat>, asleep"] }, { embeddings });
    expect(nodeOf(workflow, "CLIPTextEncode").inputs["text"]).toBe("a embedding:cat , asleep");
  });
});

describe("refusals", () => {
  it.each<[string, Partial<GenerateRequest>, PairReference, RegExp]>([
    ["TCD", { scheduler: "TCD" }, {}, /no TCD sampler; use --scheduler lcm/],
    ["eta", { ...base, scheduler: "ddim", eta: 0.3 }, {}, /no eta; leave --eta out/],
    [
      "UniPC",
      { ...base, scheduler: "uni_pc" },
      {},
      /UniPCMultistepScheduler: ComfyUI's uni_pc .*; use --scheduler euler/,
    ],
    ["DEIS", { ...base, scheduler: "deis" }, {}, /DEISMultistepScheduler: ComfyUI's deis/],
    ["LMS", { ...base, scheduler: "lms" }, {}, /LMSDiscreteScheduler: ComfyUI's lms/],
    ["singlestep", { ...base, scheduler: "DPMSolverSinglestep" }, {}, /DPMSolverSinglestepScheduler: ComfyUI has no/],
    ["rescaled guidance", { baseGuidance: 4, guidanceRescale: 0.5 }, {}, /leave --guidance-rescale out/],
    [
      "history over a switch",
      { scheduler: "dpmpp_2m", steps: 6, switch: 2 },
      {},
      /begins without a history; use a one-step/,
    ],
    [
      "steps that end elsewhere",
      { ...base, scheduler: "ddim", spacing: "linspace" },
      {},
      /ends a step at t 833 .* at t 799/,
    ],
    ["A1111's syntax", { promptSyntax: "a1111" }, {}, /--prompt-syntax comfy or plain/],
    ["GGUF", {}, { decoder: "vae.gguf" }, /vae.gguf is a GGUF file/],
    ["scales by block", {}, { adapters: [{ ref: "ink", scale: "down=0,up=0.5" }] }, /ink has scales by row, block/],
    ["a textual inversion without a token", {}, { embeddings: [{ ref: "cat.pt" }] }, /--embedding cat.pt=token/],
  ])("%s", async (_, request, reference, message) => {
    const asked = made(request, reference);
    await expect(asked).rejects.toThrow(RequestError);
    await expect(asked).rejects.toThrow(message);
  });

  it("other noise schedules, by config", async () => {
    const source = sourceOf("sdxl-dmd2");
    const asked = (fields: Record<string, unknown>, request: Partial<GenerateRequest> = {}) => {
      const scheduler = { file: "config.json", config: { ...source.base.scheduler.config, ...fields } };
      const changed = {
        ...source,
        base: { ...source.base, scheduler },
        distilled: source.distilled && { ...source.distilled, scheduler },
      };
      return comfyWorkflow(changed, { prompts: [PROMPT], ...request });
    };
    await expect(asked({})).resolves.toHaveProperty("workflow");
    await expect(asked({ rescale_betas_zero_snr: true }, { ...base, scheduler: "euler" })).rejects.toThrow(
      /zero terminal SNR/,
    );
    const pndm = { skip_prk_steps: true };
    await expect(asked(pndm, { ...base, scheduler: "PNDM" })).rejects.toThrow(/no PNDM \(PLMS\) sampler/);
    await expect(asked({ beta_schedule: "linear" })).rejects.toThrow(/not that of Stable Diffusion/);
    await expect(asked({ clip_sample: true }, { ...base, scheduler: "ddim" })).rejects.toThrow(/clip_sample/);
    await expect(asked({ final_sigmas_type: "sigma_min" }, { ...base, scheduler: "dpmpp_2m" })).rejects.toThrow(
      /final_sigmas_type/,
    );
  });

  it("the embedded pair, whose UNet ComfyUI does not recognise", async () => {
    await using pair = await openPair({}, { threads: 1 });
    for (const source of [await openPlanSource({}), pair]) {
      await expect(comfyWorkflow(source, { prompts: [PROMPT] })).rejects.toThrow(
        /ComfyUI recognises UNets by their shapes/,
      );
    }
  });
});
