/** SANA and SANA-1.5 (Xie et al. 2024, 2025), and SANA-Sprint (Chen et al. 2025), whose guidance scale is an input. */
import type { FamilyFacts } from "./family.js";
import { SANA_NAMES } from "./names/sana.js";

/** The text before each prompt, as the models were trained and diffusers' pipelines have it: a request for a description of an image. */
const INSTRUCTION = [
  "Given a user prompt, generate an 'Enhanced prompt' that provides detailed visual descriptions suitable for image generation. Evaluate the level of detail in the user prompt:",
  "- If the prompt is simple, focus on adding specifics about colors, shapes, sizes, textures, and spatial relationships to create vivid and concrete scenes.",
  "- If the prompt is already detailed, refine and enhance the existing details slightly without overcomplicating.",
  "Here are examples of how to transform or refine prompts:",
  "- User Prompt: A cat sleeping -> Enhanced: A small, fluffy white cat curled up in a round shape, sleeping peacefully on a warm sunny windowsill, surrounded by pots of blooming red flowers.",
  "- User Prompt: A busy city street -> Enhanced: A bustling city street scene at dusk, featuring glowing street lamps, a diverse crowd of people in colorful clothing, and a double-decker bus passing by towering glass skyscrapers.",
  "Please generate only the enhanced description for the prompt below and avoid including any additional commentary or evaluations:",
  "User Prompt: ",
].join("\n");

export const sana: FamilyFacts = {
  title: "SANA",
  pipeline: "SanaPipeline",
  otherPipelines: ["SanaSprintPipeline"],
  index: {},
  textEncoders: [
    {
      kind: "gemma",
      component: "text_encoder",
      tokenizer: "tokenizer",
      about: "Gemma 2 2B",
      tokenizerOnHub: "Efficient-Large-Model/Sana_1600M_1024px_diffusers:tokenizer",
      width: 2304,
      pooled: false,
      singleFile: { prefix: "text_encoders.gemma2_2b.transformer.model.", names: "transformers" },
      padding: "<pad>",
    },
  ],
  text: {
    features: 2304,
    skip: 0,
    finalNorm: true,
    unusedLayers: 0,
    projection: false,
    instruction: { before: INSTRUCTION, tokens: 300 },
  },
  denoiser: {
    className: "SanaTransformer2DModel",
    folder: "transformer",
    transformer: {
      marks: {
        diffusers: [
          "transformer_blocks.0.ff.conv_inverted.weight",
          "caption_projection.linear_1.weight",
          "patch_embed.proj.weight",
        ],
        other: [
          "blocks.0.cross_attn.kv_linear.weight",
          "blocks.0.mlp.inverted_conv.conv.weight",
          "y_embedder.y_proj.fc1.weight",
        ],
      },
      tools: "NVIDIA",
      names: SANA_NAMES,
      unused: ["y_embedder.y_embedding", "pos_embed"],
      variants: /controlnet|conv_temp|(^|\.)t_conv\./,
      adapters:
        /^(lora_|lycoris_)?(unet_|transformer_|diffusion_model_|base_model_model_)*transformer_blocks_\d+_(attn[12]_to_|ff_conv_)|(^|_)blocks_\d+_(cross_attn_(q|kv)_linear|mlp_(inverted|depth|point)_conv)/,
    },
  },
  unet: { heads: null, headFeatures: 32 },
  latents: { scale: 0.41407, upcast: true, pixelsPerToken: 32, side: 32 },
  scheduler: {
    _class_name: "DPMSolverMultistepScheduler",
    num_train_timesteps: 1000,
    prediction_type: "flow_prediction",
    use_flow_sigmas: true,
    flow_shift: 3,
  },
  ambiguousPrediction: false,
  amendsScheduler: false,
  sampling: {
    steps: 20,
    guidance: 4.5,
    switchLevel: 0.8,
    embedded: { of: "distilled", steps: 2, guidance: 4.5 },
  },
  pipelineTakes: ["negative_prompt"],
  zeroNegative: false,
  parameters: { denoiser: 1.605e9, text: 2.614e9, decoder: 0.312e9 },
};
