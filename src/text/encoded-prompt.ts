/** Prompts as conditioning, and the text encoders of a pipeline as the rest of the program sees them. */
import type { Stack } from "../adapters/index.js";
import type { Conditioning } from "../models/index.js";
import { adapterScales } from "../networks/index.js";
import type { FloatTensor, WeightIndex } from "../tensor/index.js";
import type { PromptSyntax } from "./syntax.js";

/** Adapters on one text encoder. */
export interface AdaptedText {
  readonly stack: Stack;
  /** Scales [S], one for each adapter and block. */
  readonly scales: readonly number[];
}

/** Graph inputs of the adapters on one text encoder; none where it has no LoRA. */
export const adapterFeeds = (adapted: AdaptedText | null): Record<string, FloatTensor> =>
  adapted && adapted.stack.loraLayers.size > 0 ? { adapter_scales: adapterScales([adapted.scales]) } : {};

/** Conditioning of one prompt: the stream "text" [1, L, D], and pooled text [1, P] where the family has it. */
export interface EncodedPrompt extends Conditioning {
  /** Number of truncated tokens, the largest over all tokenizers. */
  readonly truncated: number;
}

/** A file of textual inversions whose tokens no prompt has. */
export interface UnusedInversion {
  readonly name: string;
  readonly tokens: readonly string[];
}

/** The text encoders of a pipeline. */
export interface TextEncoders {
  /**
   * Encodes a prompt. `clipSkip` skips that many more layers at the end, 0 … `maxClipSkip`; `adapted` lists the adapters of each encoder.
   * With a syntax other than plain L is a multiple of `tokens`, and the pooled text is that of the first chunk. `length` is L where the
   * encoder can give several, by default `tokens`.
   * @throws RequestError for a token without an embedding, or markup that cannot be used; NonFiniteError
   */
  encode(
    prompt: string,
    clipSkip: number,
    adapted?: readonly (AdaptedText | null)[],
    syntax?: PromptSyntax,
    length?: number,
  ): Promise<EncodedPrompt>;
  /** Encodes a negative prompt, as `encode` does, where the pipeline prepares it in another way. */
  encodeNegative?: TextEncoders["encode"];
  /** Length L of a prompt when encoded. Runs no network. @throws RequestError for markup that cannot be used */
  lengthOf(prompt: string, syntax: PromptSyntax): number;
  /** Words of a prompt that the tokenizers' vocabularies do not have; empty for vocabularies made from text, such as CLIP's. */
  unknownWords(prompt: string, syntax: PromptSyntax): readonly string[];
  /** Tokens of each file of textual inversions of which no prompt has any. @throws RequestError for markup that cannot be used */
  unusedInversions(prompts: readonly string[], syntax: PromptSyntax): readonly UnusedInversion[];
  /** Prompt of an unconditional pass where none is named. */
  readonly unconditional: string;
  /** Copies of a text condition the denoiser as the text does, since it reads the text without positions. */
  readonly copies: boolean;
  /** Largest clip skip, at which the hidden state is the token embeddings. */
  readonly maxClipSkip: number;
  readonly weights: readonly (() => Promise<WeightIndex>)[];
  /** Length of an encoded prompt in plain syntax, L. */
  readonly tokens: number;
  /** Length before T5's text, whose own length a call can choose; absent for other encoders. */
  readonly shortest?: number;
  /** Releases the encoders' sessions. Cached prompts are kept. */
  release(): Promise<void>;
}
