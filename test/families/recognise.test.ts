import { describe, expect, it } from "vitest";
import { z } from "zod";
import { otherClass, recognise } from "../../src/families/index.js";
import { description } from "../support/parity.js";
import { singleGolden } from "../support/single-file.js";

const golden = description(
  "recognition",
  z.object({
    classes: z.array(
      z.object({
        class: z.string(),
        is: z.string().nullable(),
        tensors: z.array(z.tuple([z.string(), z.array(z.number())])),
      }),
    ),
    originals: z.array(z.object({ is: z.string(), tensors: z.array(z.string()) })),
  }),
);
const drawn = golden.classes.filter((c) => c.is === null);

describe("unsupported families", () => {
  it.each(golden.classes.filter((c) => c.is !== null))("$class is $is by its tensors", ({ is, tensors }) => {
    expect(recognise(new Map(tensors))).toMatchObject({ kind: "other", about: is });
  });

  it.each(golden.originals)("$is is told by what diffusers looks for", ({ is, tensors }) => {
    for (const tensor of tensors) {
      // Some of what diffusers looks for in one family stands in others too.
      const found = recognise(new Map([[tensor, [1]]]));
      if (found.kind !== "unknown") expect(found.about).toBe(is);
    }
    expect(recognise(new Map(tensors.map((t) => [t, [1]]))).about).toBe(is);
  });

  it("are told by the classes of their pipelines and networks, which no class of ours is", () => {
    const names = {
      FluxKontextPipeline: "FLUX.1 Kontext, for image editing",
      FluxFillPipeline: "FLUX.1 Fill, for inpainting",
      FluxControlPipeline: "FLUX.1 Canny or Depth, which reads an image",
      FluxPriorReduxPipeline: "FLUX.1 Redux, which reads an image",
      FluxControlNetPipeline: "a variant of FLUX.1",
      Flux2Pipeline: "FLUX.2 dev, whose text encoder is Mistral",
      StableDiffusion3InpaintPipeline: "Stable Diffusion 3 for inpainting or image to image",
      StableDiffusion3ControlNetPipeline: "Stable Diffusion 3 with a ControlNet",
      StableDiffusion3PAGPipeline: "a variant of Stable Diffusion 3",
      WanPipeline: "Wan",
      StableVideoDiffusionPipeline: "Stable Video Diffusion",
      AnimateDiffPipeline: "AnimateDiff",
      LTXPipeline: "LTX-Video",
      HunyuanVideoPipeline: "HunyuanVideo",
      MochiPipeline: "Mochi",
      PixArtSigmaPipeline: "PixArt",
      KandinskyV22Pipeline: "Kandinsky 2",
      StableCascadeDecoderPipeline: "Stable Cascade",
      ZImageOmniPipeline: "Z-Image Omni, which reads images",
      QwenImageEditPlusPipeline: "Qwen-Image-Edit, which reads images",
      QwenImageLayeredPipeline: "Qwen-Image-Layered, which separates images into layers",
      QwenImageInpaintPipeline: "Qwen-Image for inpainting or image to image",
      QwenImageControlNetPipeline: "Qwen-Image with a ControlNet",
      AutoencoderKLWan: "the autoencoder of Wan",
      Lumina2Pipeline: "Lumina",
      HiDreamImagePipeline: "HiDream",
      ChromaImg2ImgPipeline: "Chroma for image editing",
      SanaVideoPipeline: "a variant of SANA",
    };
    for (const [name, family] of Object.entries(names))
      expect({ name, is: otherClass(name) }).toEqual({ name, is: family });
    const ours = [
      "StableDiffusionPipeline",
      "StableDiffusionXLPipeline",
      "LatentConsistencyModelPipeline",
      "ZImagePipeline",
      "Flux2KleinPipeline",
      "FluxPipeline",
      "ChromaPipeline",
      "StableDiffusion3Pipeline",
      "QwenImagePipeline",
      "SanaPipeline",
      "SanaSprintPipeline",
      "CLIPModel",
    ];
    for (const name of [...ours, ...drawn.map((c) => c.class)])
      expect({ name, is: otherClass(name) }).toEqual({ name, is: null });
  });
});

describe("supported models", () => {
  it.each(drawn)("$class is not taken for another family", ({ class: name, tensors }) => {
    const kinds = {
      UNet2DConditionModel: "unet",
      Flux2Transformer2DModel: "unet",
      FluxTransformer2DModel: "unet",
      ChromaTransformer2DModel: "unet",
      SD3Transformer2DModel: "unet",
      SanaTransformer2DModel: "unet",
      ZImageTransformer2DModel: "unet",
      AutoencoderKL: "autoencoder",
      AutoencoderKLFlux2: "autoencoder",
      AutoencoderKLQwenImage: "autoencoder",
      QwenImageTransformer2DModel: "unet",
      AutoencoderTiny: "tiny autoencoder",
    };
    expect(recognise(new Map(tensors)).kind).toBe(kinds[name as keyof typeof kinds]);
  });

  it.each(["sd1", "sd2", "sdxl"] as const)("a whole %s, and each part of it with and without its prefix", (family) => {
    const whole = singleGolden(family).tensors;
    expect(recognise(new Map(whole))).toMatchObject({ kind: "checkpoint", family });
    const cut = (prefix: string) =>
      whole.flatMap(([k, s]): [string, number[]][] => (k.startsWith(prefix) ? [[k, s]] : []));
    const bare = (prefix: string) => cut(prefix).map(([k, s]): [string, number[]] => [k.slice(prefix.length), s]);
    const [unet, vae] = ["model.diffusion_model.", "first_stage_model."];
    expect(recognise(new Map(cut(unet)))).toMatchObject({ kind: "unet", family, prefix: unet });
    expect(recognise(new Map(bare(unet)))).toMatchObject({ kind: "unet", family, prefix: "" });
    expect(recognise(new Map(cut(vae)))).toMatchObject({ kind: "autoencoder", names: "stability", prefix: vae });
    expect(recognise(new Map(bare(vae)))).toMatchObject({ kind: "autoencoder", names: "stability", prefix: "" });
    const text = family === "sdxl" ? "conditioner.embedders.1.model." : "cond_stage_model.";
    expect(recognise(new Map(cut(text))).kind).toBe("text encoder");
  });

  it("says what a UNet that takes more than latents is for", () => {
    const tensors = new Map(singleGolden("sd1").tensors);
    tensors.set("model.diffusion_model.input_blocks.0.0.weight", [32, 9, 3, 3]);
    expect(recognise(tensors).about).toBe("Stable Diffusion 1.x for inpainting (9 channels)");
  });

  it.each([
    [384, "FLUX.1 Fill, for inpainting"],
    [128, "FLUX.1 Canny or Depth, which reads an image"],
  ])("tells variants of FLUX.1 that read images by the %s features of a token", (features, about) => {
    const { tensors } = description(
      "single/transformer-flux1",
      z.object({ tensors: z.array(z.tuple([z.string(), z.array(z.number())])) }),
    );
    const wider = new Map([...tensors, ["img_in.weight", [32, features]]]);
    expect(recognise(wider)).toMatchObject({ kind: "other", about });
    expect(recognise(new Map(tensors))).toMatchObject({ kind: "unet", family: "flux1" });
  });

  it("takes the refiner's UNet for what it is", () => {
    const refiner = new Map([
      ["input_blocks.0.0.weight", [384, 4, 3, 3]],
      ["time_embed.0.weight", [1536, 384]],
      ["label_emb.0.0.weight", [1536, 2560]],
      ["input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight", [768, 1280]],
    ]);
    expect(recognise(refiner)).toMatchObject({ kind: "other", about: "the UNet of the SDXL refiner" });
  });
});

describe("adapters and textual inversions", () => {
  const down = (key: string, width: number) =>
    new Map([
      [key, [4, width]],
      [key.replace("down", "up"), [320, 4]],
    ]);

  it.each([
    ["Wan", "diffusion_model.blocks.3.cross_attn.k.lora_A.weight"],
    ["Wan", "blocks.3.attn1.to_q.lora_A.weight"],
    ["AnimateDiff", "down_blocks.2.motion_modules.1.temporal_transformer.proj_in.lora_A.weight"],
    ["a diffusion transformer", "transformer.transformer_blocks.5.attn1.add_q.lora_A.weight"],
    ["the SDXL refiner", "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k.lora_down.weight"],
  ])("for an unsupported family are told with its name: %s, %s", (name, key) => {
    expect(recognise(down(key, 1280))).toMatchObject({ kind: "other", about: `an adapter for ${name}` });
  });

  it.each([
    "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
    "unet.mid_block.attentions.0.transformer_blocks.9.attn1.to_q.lora_A.weight",
    "lora_unet_input_blocks_7_1_transformer_blocks_1_ff_net_2.lora_down.weight",
  ])("are Stable Diffusion XL's by layers that only it has: %s", (key) => {
    expect(recognise(down(key, 640))).toMatchObject({ kind: "adapter", family: "sdxl" });
  });

  it("of FLUX.2 and FLUX.1 have the same names in their authors' code, and are told by the outputs for an input", () => {
    const lora = (layer: string, outputs: number) =>
      new Map([
        [`diffusion_model.${layer}.lora_A.weight`, [4, 3072]],
        [`diffusion_model.${layer}.lora_B.weight`, [outputs, 4]],
      ]);
    expect(recognise(lora("single_blocks.3.linear1", 27648))).toMatchObject({ kind: "adapter", family: "flux2" });
    expect(recognise(lora("double_blocks.3.txt_mlp.0", 18432))).toMatchObject({ kind: "adapter", family: "flux2" });
    const flux1 = {
      kind: "adapter",
      family: null,
      families: ["flux1", "chroma"],
      about: "an adapter for FLUX.1 or Chroma",
    };
    expect(recognise(lora("single_blocks.3.linear1", 21504))).toMatchObject(flux1);
    expect(recognise(lora("double_blocks.3.img_mlp.0", 12288))).toMatchObject(flux1);
    const either = { kind: "adapter", family: null, about: "an adapter for FLUX.1, FLUX.2 or Chroma" };
    expect(recognise(lora("double_blocks.7.img_attn.qkv", 9216))).toMatchObject(either);
  });

  it.each([
    ["zimage", "diffusion_model.layers.4.attention.to_q.lora_A.weight"],
    ["zimage", "lora_unet_context_refiner_1_attention_qkv.lora_down.weight"],
    ["flux2", "transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj.lora_A.weight"],
    ["flux1", "transformer.single_transformer_blocks.0.norm.linear.lora_A.weight"],
    ["sd3", "lora_unet_joint_blocks_3_x_block_attn_qkv.lora_down.weight"],
    ["sd3", "diffusion_model.joint_blocks.23.context_block.attn.qkv.lora_A.weight"],
    ["flux1", "lora_unet_double_blocks_7_txt_mod_lin.lora_down.weight"],
    ["chroma", "lora_unet_distilled_guidance_layer_layers_1_in_layer.lora_down.weight"],
    ["flux2", "transformer.transformer_blocks.0.ff_context.linear_in.lora_A.weight"],
  ])("are %s's by layers that only it has: %s", (family, key) => {
    expect(recognise(down(key, 640))).toMatchObject({ kind: "adapter", family });
  });

  it.each([
    "transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight",
    "double_blocks.7.processor.qkv_lora1.down.weight",
    "single_blocks.7.processor.proj_lora.down.weight",
  ])("are FLUX.1's or Chroma's by layers that both have: %s", (key) => {
    expect(recognise(down(key, 640))).toMatchObject({ kind: "adapter", family: null, families: ["flux1", "chroma"] });
  });

  it("on layers that diffusers names alike in several families are for one of them", () => {
    const about = {
      kind: "adapter",
      family: null,
      about: "an adapter for Stable Diffusion 3, FLUX.1, FLUX.2, Chroma or Qwen-Image",
    };
    expect(recognise(down("transformer.transformer_blocks.5.attn.to_q.lora_down.weight", 1536))).toMatchObject(about);
    expect(recognise(down("transformer_blocks.5.attn.add_k_proj.lora_down.weight", 1536))).toMatchObject(about);
  });

  it("have the text features of a Kronecker product's factors", () => {
    const layer = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_v";
    const shapes = new Map([
      [`${layer}.lokr_w1`, [8, 16]],
      [`${layer}.lokr_w2_a`, [80, 4]],
      [`${layer}.lokr_w2_b`, [4, 128]],
    ]);
    expect(recognise(shapes)).toMatchObject({ kind: "adapter", family: "sdxl" });
  });

  it.each([["text_encoders_0", "text_encoders_1"], ["clip_g", "clip_l"], ["clip_g"]])(
    "of one or both text encoders of SDXL are embeddings: %s %s",
    (...names) => {
      const shapes = new Map(names.map((name) => [name, [2, 96]]));
      expect(recognise(shapes)).toMatchObject({ kind: "textual inversion", family: "sdxl" });
    },
  );

  it("are told with the family whose text they read", () => {
    const kohya = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight";
    expect(recognise(down(kohya, 768))).toMatchObject({ kind: "adapter", family: "sd1" });
    expect(recognise(down(kohya, 1024))).toMatchObject({ kind: "adapter", family: "sd2" });
    expect(recognise(down(kohya, 2048))).toMatchObject({ kind: "adapter", family: "sdxl" });
    const peft = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_v.lora_A.weight";
    expect(recognise(new Map([[peft, [4, 2048]]]))).toMatchObject({ kind: "adapter", family: "sdxl" });
    const old = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora.down.weight";
    expect(recognise(down(old, 768))).toMatchObject({ kind: "adapter", family: "sd1" });
  });

  it("of other families are named with them", () => {
    const peft = new Map([["transformer.transformer_blocks.0.img_mod.1.lora_A.weight", [4, 3072]]]);
    expect(recognise(peft)).toMatchObject({ kind: "adapter", family: "qwenimage" });
  });

  it("are textual inversions where there are only embeddings", () => {
    expect(recognise(new Map([["emb_params", [2, 768]]]))).toMatchObject({ kind: "textual inversion", family: "sd1" });
    expect(recognise(new Map([["<cat>", [1024]]]))).toMatchObject({ kind: "textual inversion", family: "sd2" });
    const both = new Map([
      ["clip_l", [3, 768]],
      ["clip_g", [3, 1280]],
    ]);
    expect(recognise(both)).toMatchObject({ kind: "textual inversion", family: "sdxl" });
  });
});

it("shows the beginnings of unknown names", () => {
  expect(
    recognise(
      new Map([
        ["a.b", [1]],
        ["c", [1]],
      ]),
    ),
  ).toMatchObject({ kind: "unknown", because: "its tensors begin with a, c" });
  expect(recognise(new Map()).because).toBe("its tensors begin with nothing: there are none");
});
