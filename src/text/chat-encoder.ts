/** A language model as a text encoder: a prompt as a chat message → a hidden state for each of its tokens. */
import type { TokenizerFiles } from "../checkpoint/index.js";
import { RequestError } from "../errors.js";
import type { ChatFormat, FamilyFacts } from "../families/index.js";
import {
  type ConfigFile,
  drawLanguageModel,
  HIDDEN,
  type LanguageModelConfig,
  type LanguageModelShape,
  parseLanguageModelConfig,
} from "../models/index.js";
import { adapterScales, type Call, finite, type NetworkOptions, network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { type FloatTensor, float, int, type WeightIndex } from "../tensor/index.js";
import type { AdaptedText, EncodedPrompt, TextEncoders } from "./encoded-prompt.js";
import { type ChatTokenizer, createQwenTokenizer } from "./qwen-tokenizer.js";
import { type PromptSyntax, plainText } from "./syntax.js";
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

/** Bias [1, 1, L, L] of causal attention to the first n of L tokens. */
function biasOf(n: number, length: number): FloatTensor {
  const data = new Float32Array(length * length).fill(HIDDEN);
  for (let i = 0; i < length; i++) data.fill(0, i * length, i * length + Math.min(i + 1, n));
  return float([1, 1, length, length], data);
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
): Omit<TextEncoders, "encode"> & { encode(prompt: string, adapted: AdaptedText | null): Promise<EncodedPrompt> } {
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

  async function encode(prompt: string, adapted: AdaptedText | null): Promise<EncodedPrompt> {
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
        ...(padded && { attention_bias: biasOf(ids.length, tokens) }),
        ...(adapted && adapted.stack.loraLayers.size > 0 && { adapter_scales: adapterScales([adapted.scales]) }),
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
  }
  return {
    encode,
    lengthOf(prompt, syntax) {
      mustBePlain(syntax);
      return rounded(tokensOf(plainText(prompt, syntax)).ids.length);
    },
    // A vocabulary of bytes has every word.
    unknownWords: () => [],
    unusedInversions: () => [],
    zeros: ({ streams, masks }) => ({
      streams: Object.fromEntries(Object.entries(streams).map(([name, { shape }]) => [name, float(shape)])),
      ...(masks && { masks }),
      truncated: 0,
    }),
    unconditional,
    copies: false,
    tokens: chat.tokens - dropped,
    maxClipSkip: 0,
    weights: [weights],
    release: () => encoder.release(),
  };
}

/** @throws RequestError for a syntax of weights and chunks, which belong to CLIP */
function mustBePlain(syntax: PromptSyntax): void {
  if (syntax === "plain") return;
  throw new RequestError(
    `--prompt-syntax ${syntax}: weights and chunks of a prompt are CLIP's; this text encoder is a language model, which takes --prompt-syntax plain`,
    { field: "promptSyntax" },
  );
}
