/** A language model as a text encoder: a prompt as a chat message → a hidden state for each of its tokens. */
import type { TokenizerFiles } from "../checkpoint/index.js";
import type { ChatFormat, FamilyFacts } from "../families/index.js";
import {
  type ConfigFile,
  drawLanguageModel,
  type LanguageModelConfig,
  type LanguageModelShape,
  parseLanguageModelConfig,
} from "../models/index.js";
import { type Call, finite, type NetworkOptions, network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { type FloatTensor, float, int, type WeightIndex } from "../tensor/index.js";
import { attentionBias } from "./attention-bias.js";
import { adapterFeeds, type TextEncoders } from "./encoded-prompt.js";
import { type ChatTokenizer, createQwenTokenizer } from "./qwen-tokenizer.js";
import { mustBePlain, plainText } from "./syntax.js";
import { checkVocabulary } from "./vocabulary.js";

/** Parts of a text encoder that is a language model. */
export interface LanguageModelParts {
  readonly kind: "language model";
  readonly config: LanguageModelConfig;
  readonly tokenizer: ChatTokenizer;
  readonly weights: () => Promise<WeightIndex>;
}

/** Parts from the files of a checkpoint. @throws UnsupportedConfigError for its config; FileError for its tokenizer */
export const languageModelParts = (source: ConfigFile, files: TokenizerFiles): Omit<LanguageModelParts, "weights"> => ({
  kind: "language model",
  config: parseLanguageModelConfig(source),
  tokenizer: createQwenTokenizer(files),
});

/** A prompt as tokens, and the number of tokens beyond the limit, which are dropped. */
interface ChatTokens {
  readonly ids: readonly number[];
  readonly truncated: number;
}

/** x [1, L, D] without its first n rows. */
function withoutFirst({ shape, data }: FloatTensor, n: number): FloatTensor {
  const [, length = 0, features = 0] = shape;
  return n === 0 ? float(shape, data) : float([1, length - n, features], data.slice(n * features));
}

/**
 * Creates the text encoder of a family with a chat format. The stream "text" [1, L, D] has the hidden states that the family reads, without those
 * of the first `dropped` tokens; later layers are not loaded. L is the number of tokens rounded up, and the mask "text" [1, L] is 0 where a row holds no token.
 */
export function chatEncoder(
  runtime: Runtime,
  chat: ChatFormat,
  { skip, finalNorm, unconditional = "" }: FamilyFacts["text"],
  { config, tokenizer, weights }: LanguageModelParts,
  options: NetworkOptions,
): TextEncoders {
  const states = chat.states ?? [config.layers - skip];
  // A denoiser that reads all rows sees those of padding too, which must then be as the model computes them.
  const padded = chat.multiple === chat.tokens;
  const encoder = network<LanguageModelShape>(
    "text_encoder_1",
    runtime,
    (shape, index) => drawLanguageModel(config, index, shape),
    weights,
    options,
  );
  const { dropped = 0 } = chat;
  const tokensOf = (prompt: string): ChatTokens => {
    const ids = tokenizer.encode(`${chat.before}${prompt}${chat.after}`);
    return { ids: ids.slice(0, chat.tokens), truncated: Math.max(0, ids.length - chat.tokens) };
  };
  /** Length of the conditioning of n tokens. */
  const rounded = (n: number) => Math.ceil((n - dropped) / chat.multiple) * chat.multiple;

  const encode: TextEncoders["encode"] = async (prompt, _clipSkip, [adapted = null] = []) => {
    const { ids, truncated } = tokensOf(prompt);
    checkVocabulary(ids, config.vocabulary);
    const length = rounded(ids.length);
    const tokens = dropped + length;
    const padding = new Array<number>(tokens - ids.length).fill(padded ? tokenizer.padding : 0);
    const { outputs } = await encoder.run(
      { tokens, states, finalNorm, padded },
      {
        // Attention is causal, so that tokens do not read the padding after them.
        input_ids: int([1, tokens], [...ids, ...padding]),
        ...(padded && { attention_bias: attentionBias(tokens, (i) => Math.min(i + 1, ids.length)) }),
        ...adapterFeeds(adapted),
      },
      adapted?.stack ?? null,
    );
    const call: Call = { network: "text encoder 1", at: JSON.stringify(prompt), weights };
    const mask = Float32Array.from({ length }, (_, i) => (dropped + i < ids.length ? 1 : 0));
    return {
      streams: { text: withoutFirst(await finite(outputs["hidden_state"], call), dropped) },
      masks: { text: float([1, length], mask) },
      truncated,
    };
  };
  return {
    encode,
    lengthOf(prompt, syntax) {
      mustBePlain(syntax, "a language model");
      return rounded(tokensOf(plainText(prompt, syntax)).ids.length);
    },
    // A vocabulary of bytes has every word.
    unknownWords: () => [],
    unusedInversions: () => [],
    unconditional,
    copies: false,
    tokens: chat.tokens - dropped,
    maxClipSkip: 0,
    weights: [weights],
    release: () => encoder.release(),
  };
}
