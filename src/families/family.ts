/** Facts of a model family that its checkpoints do not state, as data, so that other code need not distinguish families. */

import type { Renamed } from "./names/transformer.js";

/** A text encoder of a family. Encoders are listed in the order in which their features are concatenated. */
export interface TextEncoderFacts {
  readonly kind: "clip" | "language model" | "gemma" | "t5";
  /** Folders in a diffusers checkpoint. */
  readonly component: "text_encoder" | "text_encoder_2" | "text_encoder_3";
  readonly tokenizer: "tokenizer" | "tokenizer_2" | "tokenizer_3";
  /** Display name. */
  readonly about: string;
  /** Features of its token embeddings. */
  readonly width: number;
  /** The pooled output of this encoder conditions the denoiser, after its text projection or without. */
  readonly pooled: boolean | "unprojected";
  /** Its hidden states are part of the text conditioning. Default true. */
  readonly states?: false;
  /** A checkpoint may leave it out; its hidden states are zeros then. */
  readonly optional?: true;
  /** Prefix and naming scheme of its tensors in a single-file checkpoint. Files may be meant without the projection of the pooled output. */
  readonly singleFile: {
    readonly prefix: string;
    readonly names: "transformers" | "openclip";
    readonly unprojected?: true;
  };
  /** Repository on the Hub with its tokenizer, for files that hold none. Absent for CLIPs, whose tokenizer comes with the package. */
  readonly tokenizerOnHub?: string;
  /** Padding token of prompts. */
  readonly padding: "<|endoftext|>" | "!" | "<pad>";
}

/** How a prompt is written for a language model, and how many of its tokens are read. */
export interface ChatFormat {
  readonly before: string;
  readonly after: string;
  /** Longest input in tokens, with the format's own; what is beyond is cut. */
  readonly tokens: number;
  /** Tokens at the beginning whose hidden states the denoiser does not read: those of the format. Default 0. */
  readonly dropped?: number;
  /** The denoiser takes text in multiples of this many tokens; with `tokens` itself it reads all of them, padding too. */
  readonly multiple: number;
  /** Numbers of layers after which hidden states are read and concatenated. Default: the last but `skip`. */
  readonly states?: readonly number[];
}

/** How a prompt is written for Gemma: after an instruction to describe images, of whose tokens the denoiser reads the first alone. */
export interface InstructionFormat {
  /** Text before a prompt; a negative prompt has none. */
  readonly before: string;
  /** Number of tokens that the denoiser reads, with the first of all; what is beyond is cut. */
  readonly tokens: number;
}

/** Names of the tensors of a transformer, in files and in adapters. */
export interface TransformerFacts {
  /** Tensors that together only this network has, in files with diffusers' names and in those of other tools. */
  readonly marks: { readonly diffusers: readonly string[]; readonly other: readonly string[] };
  /** The other tools, in words. */
  readonly tools: string;
  /** Names that differ in files of other tools. */
  readonly names: readonly Renamed[];
  /** Names of layers that only adapters have. */
  readonly adapterNames?: readonly Renamed[];
  /** Tensors in such files that the network does not have. */
  readonly unused: readonly string[];
  /** Tensors of variants that need more than text. */
  readonly variants: RegExp;
  /** Variants that are told by the number of features of an image token: the layer that reads it in both dialects, and names by features. */
  readonly inputs?: {
    readonly layers: readonly [diffusers: string, other: string];
    readonly variants: Readonly<Record<number, string>>;
  };
  /** Layers that only this network has, in keys of adapters with "_" for every ".". */
  readonly adapters: RegExp;
  /** Layers whose names another network has too, but not their number of outputs for each input. */
  readonly ratios?: readonly { readonly layer: RegExp; readonly outputs: number }[];
}

/** Nodes of ComfyUI, and names of files, for a family whose parts are files of their own there. */
export interface ComfyFacts {
  /** `type` of the node that loads the text encoders. */
  readonly clip: string;
  /** Names under which its text encoders are published for ComfyUI, and that of a larger one where pairs have different ones. */
  readonly textEncoders: readonly string[];
  readonly largeTextEncoder?: string;
  /** Name of the published autoencoder; absent where the base is published in one file with it. */
  readonly autoencoder?: string;
  /** Node that makes empty latents. */
  readonly latents: string;
}

/** Facts of one family. */
export interface FamilyFacts {
  /** Display name. */
  readonly title: string;
  /** Class of its diffusers pipeline. */
  readonly pipeline: string;
  /** Classes of pipelines of other models of the family. */
  readonly otherPipelines?: readonly string[];
  /** Entries of model_index.json other than components. */
  readonly index: Readonly<Record<string, unknown>>;
  readonly textEncoders: readonly TextEncoderFacts[];
  readonly text: {
    /** Features of the text conditioning. */
    readonly features: number;
    /** Layers skipped at the end of the text encoders when clip skip is 0. */
    readonly skip: number;
    /** The final layer norm is applied to the selected hidden state. */
    readonly finalNorm: boolean;
    /** Layers at the end of OpenCLIP's encoder that the family does not use. */
    readonly unusedLayers: number;
    /** The pipeline loads the text projection if the file has one. */
    readonly projection: boolean;
    /** The prompt without conditioning, where none is named. Default: the empty one. */
    readonly unconditional?: string;
    /** Chat format of prompts, for a text encoder that is a language model. */
    readonly chat?: ChatFormat;
    /** Instruction of prompts, for Gemma. */
    readonly instruction?: InstructionFormat;
    /** Length of the text conditioning of T5, unless the denoiser was trained with another. */
    readonly tokens?: number;
    /** T5 reads no padding, and the denoiser this many tokens of it. Default: both read all of it. */
    readonly visiblePadding?: number;
  };
  /** Class of the denoiser, and its folder in a diffusers checkpoint. */
  readonly denoiser: {
    readonly className: string;
    readonly folder: "unet" | "transformer";
    /** The diffusers pipeline denoises tokens of 2 × 2 latents, which the autoencoder reads unpacked. */
    readonly packed?: true;
    /** Absent for UNets, which have names of their own. */
    readonly transformer?: TransformerFacts;
  };
  /** Attention heads of the UNet, which shapes do not determine: number of heads, or where null features per head. */
  readonly unet: { readonly heads: number | null; readonly headFeatures: number };
  readonly latents: {
    /** Scaling factor: latents are multiplied by it after encoding and divided by it before decoding. */
    readonly scale: number;
    /** Shift factor: subtracted before encoded latents are scaled, and added after they are divided. Default 0. */
    readonly shift?: number;
    /** The autoencoder overflows in float16 (force_upcast). */
    readonly upcast: boolean;
    /** Side of an image token in pixels, on which dynamic shifts depend; absent for UNets. */
    readonly pixelsPerToken?: number;
    /** Latent height and width that the denoiser was trained for, where its files do not state them. */
    readonly side: number;
    /** TAESD of these latents: ComfyUI's name of it, and its name among madebyollin's repositories on the Hub. Absent where there is none. */
    readonly tiny?: string;
  };
  /** Scheduler config that the family was trained with, as in its official diffusers checkpoints. */
  readonly scheduler: Readonly<Record<string, unknown>>;
  /** Checkpoints of identical shapes predict either ε or v, so that shapes do not determine the prediction type. */
  readonly ambiguousPrediction: boolean;
  /** The pipeline corrects steps_offset and clip_sample in a checkpoint's scheduler config. */
  readonly amendsScheduler: boolean;
  /** Default steps and guidance scale of the diffusers pipeline. */
  readonly sampling: {
    readonly steps: number;
    readonly guidance: number;
    /**
     * Noise level σ / (α + σ) near which the base of a hybrid ends, where one step of few decides too little. Default: after one step.
     */
    readonly switchLevel?: number;
    /**
     * Defaults of a distilled model that takes the guidance scale as an input. Where the base does too, a model without the input is distilled,
     * and has no guidance; else one with it is. `tokens` are the lengths of the text that models with the input and without read, where they
     * differ.
     */
    readonly embedded?: {
      /** Models that take the guidance scale as an input. Default: the base and its own kind. */
      readonly of?: "distilled";
      readonly steps: number;
      readonly guidance: number;
      readonly tokens?: { readonly embedded: number; readonly other: number };
    };
  };
  /**
   * What is added to a guidance scale g to get that of Ho and Salimans 2022, uncond + g (cond − uncond): 1 where the pipeline computes
   * cond + g (cond − uncond). Default 0.
   */
  readonly guidanceOffset?: 0 | 1;
  /**
   * Side in latents of the tokens in each of which the pipeline gives the guided prediction the norm of the conditional one. Default: guidance
   * changes norms.
   */
  readonly guidanceTokens?: number;
  /** The pipeline gives a flow schedule the sigmas 1 … 1 / n for n steps, computed in this precision, instead of the scheduler's own. */
  readonly evenSigmas?: "float32" | "float64";
  /** The dynamic shift of the schedule depends on the number of steps too, as in FLUX.2. */
  readonly stepwiseShift?: boolean;
  /** The diffusers pipeline reads the guidance scale in each step; others have one for all steps with guidance. */
  readonly stepGuidance?: true;
  /** Embeddings that the diffusers pipeline keeps for the negative prompt and the prompt together while its steps have guidance. */
  readonly pairedEmbeddings?: readonly string[];
  /** Arguments of the diffusers pipeline that not every pipeline has. */
  readonly pipelineTakes?: readonly ("negative_prompt" | "cfg_normalization" | "true_cfg_scale")[];
  /** How ComfyUI runs the family; absent for UNets, and where workflows are not written. */
  readonly comfy?: ComfyFacts;
  /** Without a negative prompt, the unconditional embedding is zeros and not that of "", unless model_index.json says otherwise. */
  readonly zeroNegative: boolean;
  /** Numbers of parameters, for estimates before a download. */
  readonly parameters: { readonly denoiser: number; readonly text: number; readonly decoder: number };
}

/** Noise schedule of the training of Stable Diffusion models: scaled_linear betas, 1000 timesteps. */
export const STABLE_DIFFUSION_NOISE = {
  num_train_timesteps: 1000,
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  clip_sample: false,
  set_alpha_to_one: false,
  steps_offset: 1,
} as const;

/** The UNet of Stable Diffusion. */
export const UNET = { className: "UNet2DConditionModel", folder: "unet" } as const;
