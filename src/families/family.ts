/** The facts of one model family that no checkpoint of it states, as data. Nothing outside this room asks which family a model is. */

/** A text encoder of a family, in the order in which their features stand. */
export interface TextEncoderFacts {
  /** Folders of a diffusers checkpoint. */
  readonly component: "text_encoder" | "text_encoder_2";
  readonly tokenizer: "tokenizer" | "tokenizer_2";
  readonly about: string;
  /** Width of its embeddings. */
  readonly width: number;
  /** The pooled text of this one conditions the denoiser. */
  readonly pooled: boolean;
  /** Where a checkpoint in one file keeps it, and whose tensor names it has there. */
  readonly singleFile: { readonly prefix: string; readonly names: "transformers" | "openclip" };
  /** Text that pads a prompt. */
  readonly padding: "<|endoftext|>" | "!";
}

export interface FamilyFacts {
  readonly title: string;
  /** diffusers' pipeline class. */
  readonly pipeline: string;
  /** What model_index.json says beside its components. */
  readonly index: Readonly<Record<string, unknown>>;
  readonly textEncoders: readonly TextEncoderFacts[];
  readonly text: {
    /** Features that cross-attention reads. */
    readonly features: number;
    /** Layers left out at the end without clip skip. */
    readonly skip: number;
    /** The final norm of the encoder follows the chosen layer. */
    readonly finalNorm: boolean;
    /** Last layers of OpenCLIP's encoder that the family was trained without. */
    readonly unusedLayers: number;
    /** Its pipelines read the text projection where the file has one. */
    readonly projection: boolean;
  };
  /** Facts of the UNet that no shape tells: heads of each attention, or features of each head. */
  readonly unet: { readonly heads: number | null; readonly headFeatures: number };
  readonly latents: {
    /** Latents are multiplied by this after encoding and divided by it before decoding. */
    readonly scale: number;
    /** The autoencoder overflows in float16. */
    readonly upcast: boolean;
    /** Height and width that the denoiser was trained for, where its files do not say. */
    readonly side: number;
  };
  /** Scheduler config that the family was trained with, as diffusers' own folders repeat it. */
  readonly scheduler: Readonly<Record<string, unknown>>;
  /** Checkpoints of the same shapes predict ε or v: only their weights or names tell. */
  readonly ambiguousPrediction: boolean;
  /** Its pipelines correct steps_offset and clip_sample in a checkpoint's scheduler config. */
  readonly amendsScheduler: boolean;
  /** Steps and guidance scale of diffusers' pipeline, where neither the request nor a pair says any. */
  readonly sampling: { readonly steps: number; readonly guidance: number };
  /** No negative prompt means zeros, not an encoded "", unless the checkpoint's index says otherwise. */
  readonly zeroNegative: boolean;
  /** Parameters of its networks, for estimates before anything is fetched. */
  readonly parameters: { readonly denoiser: number; readonly text: number; readonly decoder: number };
}

/** The noise schedule that Stable Diffusion models were trained with (scaled_linear, 1000 timesteps). */
export const STABLE_DIFFUSION_NOISE = {
  num_train_timesteps: 1000,
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  clip_sample: false,
  set_alpha_to_one: false,
  steps_offset: 1,
} as const;
