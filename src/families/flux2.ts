/** FLUX.2 klein (Black Forest Labs 2026), base and distilled, with Qwen3 as its text encoder. */
import type { FamilyFacts } from "./family.js";
import { FLUX2_NAMES } from "./names/flux2.js";

export const flux2: FamilyFacts = {
  title: "FLUX.2 klein",
  pipeline: "Flux2KleinPipeline",
  index: {},
  textEncoders: [
    {
      kind: "language model",
      component: "text_encoder",
      tokenizer: "tokenizer",
      about: "Qwen3 4B or 8B",
      tokenizerOnHub: "Qwen/Qwen3-4B",
      width: 2560,
      pooled: false,
      singleFile: { prefix: "text_encoders.qwen3_4b.transformer.model.", names: "transformers" },
      padding: "<|endoftext|>",
    },
  ],
  text: {
    features: 7680,
    skip: 0,
    finalNorm: false,
    unusedLayers: 0,
    projection: false,
    chat: {
      before: "<|im_start|>user\n",
      after: "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
      tokens: 512,
      multiple: 512,
      states: [9, 18, 27],
    },
  },
  denoiser: {
    className: "Flux2Transformer2DModel",
    folder: "transformer",
    transformer: {
      marks: {
        diffusers: ["single_stream_modulation.linear.weight"],
        other: ["single_stream_modulation.lin.weight"],
      },
      tools: "Black Forest Labs",
      names: FLUX2_NAMES,
      unused: [],
      variants: /^$/,
      adapters:
        /(^|_)single_transformer_blocks_\d+_attn_to_(qkv_mlp_proj|out(?!_))|(^|_)(single|double)_stream_modulation|(^|_)transformer_blocks_\d+_ff(_context)?_linear_(in|out)/,
      // FLUX.1's own code has the same names.
      ratios: [
        { layer: /(^|_)single_blocks_\d+_linear1(?!\d)/, outputs: 9 },
        { layer: /(^|_)double_blocks_\d+_(img|txt)_mlp_0/, outputs: 6 },
      ],
    },
  },
  unet: { heads: null, headFeatures: 128 },
  latents: { scale: 1, upcast: true, pixelsPerToken: 16, side: 128, tiny: "taef2" },
  scheduler: {
    _class_name: "FlowMatchEulerDiscreteScheduler",
    num_train_timesteps: 1000,
    use_dynamic_shifting: true,
    time_shift_type: "exponential",
  },
  ambiguousPrediction: false,
  amendsScheduler: false,
  // One of four steps ends at σ = 0.97, where little is decided; after two it is 0.91 at 1024 px, after three 0.77.
  sampling: { steps: 50, guidance: 4, switchLevel: 0.85 },
  evenSigmas: "float64",
  stepwiseShift: true,
  comfy: {
    clip: "flux2",
    textEncoders: ["qwen_3_4b.safetensors"],
    largeTextEncoder: "qwen_3_8b.safetensors",
    autoencoder: "flux2-vae.safetensors",
    latents: "EmptyFlux2LatentImage",
  },
  zeroNegative: false,
  parameters: { denoiser: 3.876e9, text: 4.022e9, decoder: 0.084e9 },
};
