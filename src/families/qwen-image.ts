/** Qwen-Image (Wu et al. 2025) with its distilled siblings, the Lightning LoRAs: Qwen2.5-VL's language part reads the prompt. */
import type { FamilyFacts } from "./family.js";

/** Tensors that only this network has; files of other tools have diffusers' names. */
const MARKS = ["transformer_blocks.0.img_mlp.net.0.proj.weight", "txt_norm.weight"];

export const qwenimage: FamilyFacts = {
  title: "Qwen-Image",
  pipeline: "QwenImagePipeline",
  index: {},
  textEncoders: [
    {
      kind: "language model",
      component: "text_encoder",
      tokenizer: "tokenizer",
      about: "Qwen2.5-VL 7B",
      tokenizerOnHub: "Qwen/Qwen2.5-VL-7B-Instruct",
      width: 3584,
      pooled: false,
      singleFile: { prefix: "text_encoders.qwen25_7b.transformer.model.", names: "transformers" },
      padding: "<|endoftext|>",
    },
  ],
  text: {
    features: 3584,
    skip: 0,
    finalNorm: true,
    unusedLayers: 0,
    projection: false,
    unconditional: " ",
    chat: {
      before:
        "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, spatial relationships of the objects and background:<|im_end|>\n<|im_start|>user\n",
      after: "<|im_end|>\n<|im_start|>assistant\n",
      tokens: 1058,
      dropped: 34,
      multiple: 32,
    },
  },
  denoiser: {
    className: "QwenImageTransformer2DModel",
    folder: "transformer",
    packed: true,
    transformer: {
      marks: { diffusers: MARKS, other: MARKS },
      tools: "diffusers",
      names: [],
      unused: [],
      variants: /addition_t_embedding|__index_timestep_zero__|controlnet_/,
      adapters: /(^|_)transformer_blocks_\d+_(img|txt)_m(lp|od)_/,
    },
  },
  unet: { heads: null, headFeatures: 128 },
  latents: { scale: 1, upcast: true, pixelsPerToken: 16, side: 128 },
  scheduler: {
    _class_name: "FlowMatchEulerDiscreteScheduler",
    num_train_timesteps: 1000,
    use_dynamic_shifting: true,
    time_shift_type: "exponential",
    base_shift: 0.5,
    max_shift: 0.9,
    base_image_seq_len: 256,
    max_image_seq_len: 8192,
    shift: 1,
    shift_terminal: 0.02,
  },
  ambiguousPrediction: false,
  amendsScheduler: false,
  sampling: { steps: 50, guidance: 4, switchLevel: 0.8 },
  guidanceTokens: 2,
  evenSigmas: "float64",
  pipelineTakes: ["negative_prompt", "true_cfg_scale"],
  comfy: {
    clip: "qwen_image",
    textEncoders: ["qwen_2.5_vl_7b_fp8_scaled.safetensors"],
    autoencoder: "qwen_image_vae.safetensors",
    latents: "EmptySD3LatentImage",
  },
  zeroNegative: false,
  parameters: { denoiser: 20.43e9, text: 7.071e9, decoder: 0.127e9 },
};
