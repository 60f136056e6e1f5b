/** Gemma as a text encoder: a prompt after an instruction → a hidden state for each token of the prompt, with a mask. */
import type { TokenizerFiles } from "../checkpoint/index.js";
import type { InstructionFormat } from "../families/index.js";
import {
  type ConfigFile,
  drawGemma2,
  type Gemma2Config,
  type Gemma2Shape,
  parseGemma2Config,
} from "../models/index.js";
import { type Call, finite, type NetworkOptions, network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { float, int, type WeightIndex } from "../tensor/index.js";
import { attentionBias } from "./attention-bias.js";
import { adapterFeeds, type TextEncoders } from "./encoded-prompt.js";
import { createGemmaTokenizer, type GemmaTokenizer } from "./gemma-tokenizer.js";
import { mustBePlain } from "./syntax.js";
import { checkVocabulary } from "./vocabulary.js";

/** Parts of a text encoder that is Gemma. */
export interface GemmaParts {
  readonly kind: "gemma";
  readonly config: Gemma2Config;
  readonly tokenizer: GemmaTokenizer;
  readonly weights: () => Promise<WeightIndex>;
}

/** Parts from the files of a checkpoint. @throws UnsupportedConfigError for its config; FileError for its tokenizer */
export const gemmaParts = (source: ConfigFile, files: TokenizerFiles): Omit<GemmaParts, "weights"> => ({
  kind: "gemma",
  config: parseGemma2Config(source),
  tokenizer: createGemmaTokenizer(files),
});

/** The input is filled to a multiple of this many tokens, so that few graphs are drawn. */
const MULTIPLE = 32;

/** A text as tokens, and those that the denoiser reads after the first of all: from `start` on. */
interface InstructedTokens {
  readonly ids: readonly number[];
  readonly start: number;
  /** Number of tokens beyond the limit, which are dropped. */
  readonly truncated: number;
}

/**
 * Creates the text encoder of a family with an instruction. Prompts are in lower case. The stream "text" [1, L, D] has the state of the first
 * token and of those of the prompt, after the final norm; the mask "text" [1, L] is 0 for rows of zeros, which hold no token.
 */
export function gemmaEncoder(
  runtime: Runtime,
  { before, tokens: length }: InstructionFormat,
  { config, tokenizer, weights }: GemmaParts,
  options: NetworkOptions,
): TextEncoders {
  const encoder = network<Gemma2Shape>(
    "text_encoder_1",
    runtime,
    (shape, index) => drawGemma2(config, index, shape),
    weights,
    options,
  );
  const written = (prompt: string) => prompt.toLowerCase().trim();
  /** Tokens of a prompt after the instruction. The last one of the instruction may become one with the first of the prompt. */
  function instructed(prompt: string): InstructedTokens {
    const start = tokenizer.encode(before).length - 1;
    return cut(tokenizer.encode(`${before}${written(prompt)}`), start);
  }
  const alone = (prompt: string): InstructedTokens => cut(tokenizer.encode(written(prompt)), 1);
  function cut(ids: readonly number[], start: number): InstructedTokens {
    const limit = start + length - 1;
    return { ids: ids.slice(0, limit), start, truncated: Math.max(0, ids.length - limit) };
  }

  const encodeWith =
    (tokensOf: (prompt: string) => InstructedTokens): TextEncoders["encode"] =>
    async (prompt, _clipSkip, [adapted = null] = []) => {
      const { ids, start, truncated } = tokensOf(prompt);
      checkVocabulary(ids, config.vocabulary);
      const tokens = Math.ceil(ids.length / MULTIPLE) * MULTIPLE;
      const { outputs } = await encoder.run(
        { tokens },
        {
          // Padding is at the end, so that no token reads it.
          input_ids: int([1, tokens], [...ids, ...new Array<number>(tokens - ids.length).fill(0)]),
          attention_bias: attentionBias(tokens, (i) => i + 1),
          ...adapterFeeds(adapted),
        },
        adapted?.stack ?? null,
      );
      const call: Call = { network: "text encoder 1", at: JSON.stringify(prompt), weights };
      const states = await finite(outputs["hidden_state"], call);
      const own = Math.max(0, ids.length - start);
      const text = new Float32Array(length * config.features);
      text.set(states.data.subarray(0, config.features));
      text.set(states.data.subarray(start * config.features, (start + own) * config.features), config.features);
      const mask = Float32Array.from({ length }, (_, i) => (i <= own ? 1 : 0));
      return {
        streams: { text: float([1, length, config.features], text) },
        masks: { text: float([1, length], mask) },
        truncated,
      };
    };
  return {
    encode: encodeWith(instructed),
    encodeNegative: encodeWith(alone),
    lengthOf(_prompt, syntax) {
      mustBePlain(syntax, "Gemma");
      return length;
    },
    // A vocabulary with all bytes has every word.
    unknownWords: () => [],
    unusedInversions: () => [],
    unconditional: "",
    copies: false,
    tokens: length,
    maxClipSkip: 0,
    weights: [weights],
    release: () => encoder.release(),
  };
}
