/** Prompt embeddings of a pipeline: hidden states and pooled text of its text encoders, cached by prompt. */
import type { Stack } from "../adapters/index.js";
import { RequestError } from "../errors.js";
import { FAMILIES, type Family } from "../families/index.js";
import { type Conditioning, drawTextEncoder, pooledIndex, type TextEncoderConfig } from "../models/index.js";
import { adapterScales, finite, type Network, type NetworkOptions, network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { concatLast, type FloatTensor, float, int, type WeightIndex } from "../tensor/index.js";
import { inversionInputs, type TextualInversion, tokensOf } from "./textual-inversion.js";
import type { Tokenizer } from "./tokenizer.js";

/** Conditioning of one prompt: the stream "text" [1, L, D], and pooled text [1, P] where the family has it. */
export interface EncodedPrompt extends Conditioning {
  /** Number of truncated tokens, the largest over all tokenizers. */
  readonly truncated: number;
}

/** Parts of one text encoder. */
export interface TextEncoderParts {
  readonly config: TextEncoderConfig;
  readonly tokenizer: Tokenizer;
  readonly weights: () => Promise<WeightIndex>;
  /** The encoder provides the pooled text. */
  readonly pooled: boolean;
}

/** The text encoders of a pipeline. */
export interface TextEncoders {
  /**
   * Encodes a prompt. `clipSkip` skips that many more layers at the end, 0 … `maxClipSkip`; `adapted` lists the adapters of each encoder.
   * @throws RequestError for a token without an embedding; NonFiniteError
   */
  encode(prompt: string, clipSkip: number, adapted?: readonly (AdaptedText | null)[]): Promise<EncodedPrompt>;
  /** Zero conditioning with the shapes of `like`, for an unconditional pass without a prompt. */
  zeros(like: EncodedPrompt): EncodedPrompt;
  /** Largest clip skip, at which the hidden state is the token embeddings. */
  readonly maxClipSkip: number;
  readonly weights: readonly (() => Promise<WeightIndex>)[];
  /** Length of an encoded prompt, L. */
  readonly tokens: number;
  /** Releases the encoders' sessions. Cached prompts are kept. */
  release(): Promise<void>;
}

/** Adapters on one text encoder. */
export interface AdaptedText {
  readonly stack: Stack;
  /** Scales [S], one for each adapter and block. */
  readonly scales: readonly number[];
}

/** Number of cached prompts; one of SDXL takes 0.6 MB. */
const CACHED = 64;

interface Encoder extends Pick<TextEncoderParts, "config" | "tokenizer" | "pooled"> {
  /** First id of the tokens of textual inversions. */
  readonly firstInverted: number;
  readonly network: Network<{ readonly back: number }>;
}

/**
 * Creates the text encoders of a pipeline. Hidden states of several encoders are concatenated along the features. With clip skip k the
 * hidden state is `hidden_states[-(k + 1)]` for Stable Diffusion and `hidden_states[-(k + 2)]` for SDXL, as in diffusers.
 * @throws RequestError when the token of a textual inversion cannot be added to a tokenizer
 */
export function textEncoders(
  runtime: Runtime,
  family: Family,
  parts: readonly TextEncoderParts[],
  inversions: readonly TextualInversion[] = [],
  options: NetworkOptions = {},
): TextEncoders {
  const { skip, finalNorm } = FAMILIES[family].text;
  const textualInversion = inversions.length > 0;
  const encoders = parts.map(
    ({ config, tokenizer, weights, pooled }, i): Encoder => ({
      config,
      pooled,
      tokenizer: textualInversion ? tokenizer.withTokens(tokensOf(inversions)) : tokenizer,
      firstInverted: tokenizer.size,
      network: network(
        `text_encoder_${i + 1}`,
        runtime,
        ({ back }, index) => {
          const state = { back, finalNorm };
          return drawTextEncoder(config, index, { tokens: tokenizer.maxLength, state, pooled, textualInversion });
        },
        weights,
        options,
      ),
    }),
  );

  async function encode(
    prompt: string,
    clipSkip: number,
    adapted: readonly (AdaptedText | null)[],
  ): Promise<EncodedPrompt> {
    const encoded: Awaited<ReturnType<typeof encodeWith>>[] = [];
    for (const [i, encoder] of encoders.entries()) {
      encoded.push(await encodeWith(encoder, i, prompt, skip + clipSkip, adapted[i] ?? null, inversions));
    }
    const pooled = encoded.findLast((e) => e.pooled)?.pooled;
    return {
      streams: { text: concatLast(encoded.map((e) => e.state)) },
      ...(pooled && { pooled }),
      truncated: Math.max(...encoded.map((e) => e.truncated)),
    };
  }

  const prompts = cached<EncodedPrompt>(CACHED);
  return {
    encode(prompt, clipSkip, adapted = []) {
      const stacks = adapted.map((a) => a && [a.stack.graphKey, a.stack.inputKey, a.scales]);
      return prompts(JSON.stringify([clipSkip, prompt, stacks]), () => encode(prompt, clipSkip, adapted));
    },
    zeros: ({ streams, pooled }) => ({
      streams: Object.fromEntries(Object.entries(streams).map(([name, { shape }]) => [name, float(shape)])),
      ...(pooled && { pooled: float(pooled.shape) }),
      truncated: 0,
    }),
    tokens: parts[0]?.tokenizer.maxLength ?? 77,
    maxClipSkip: Math.min(...parts.map(({ config }) => config.layers)) - skip,
    weights: parts.map((part) => part.weights),
    release: async () => {
      for (const encoder of encoders) await encoder.network.release();
    },
  };
}

/** Encodes a prompt with encoder `i`: hidden state [1, L, D], pooled text [1, P], and number of truncated tokens. */
async function encodeWith(
  { config, tokenizer, pooled, network, firstInverted: first }: Encoder,
  i: number,
  prompt: string,
  back: number,
  adapters: AdaptedText | null,
  inversions: readonly TextualInversion[],
): Promise<{ state: FloatTensor; pooled: FloatTensor | null; truncated: number }> {
  const { ids, truncated } = tokenizer.encode(prompt);
  checkVocabulary(ids, first, config.vocabulary);
  const inverted = inversions.length > 0;
  const known = ids.map((id) => (inverted && id >= first ? 0 : id));
  const { outputs } = await network.run(
    { back },
    {
      input_ids: int([1, ids.length], known),
      // Configs with eos_token_id 2 pool the largest id, which may be an added token's; transformers does the same.
      ...(pooled && { pooled_index: int([1], [pooledIndex(ids, config.eosToken)]) }),
      ...(inverted && inversionInputs(ids, first, inversions, i, config.features)),
      ...(adapters && adapters.stack.loraLayers.size > 0 && { adapter_scales: adapterScales([adapters.scales]) }),
    },
    adapters?.stack ?? null,
  );
  const name = `text encoder ${i + 1}`;
  const at = JSON.stringify(prompt);
  return {
    state: finite(outputs["hidden_state"], name, at),
    pooled: pooled ? finite(outputs["text_embeds"], name, at) : null,
    truncated,
  };
}

/** LRU cache of the results of asynchronous calls, by key, with `limit` entries. Failures are not cached. */
function cached<T>(limit: number): (key: string, make: () => Promise<T>) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (key, make) => {
    const found = known.get(key) ?? make();
    known.delete(key);
    known.set(key, found);
    for (const oldest of known.keys()) {
      if (known.size <= limit) break;
      known.delete(oldest);
    }
    found.catch(() => known.delete(key));
    return found;
  };
}

/** @throws RequestError for a token without an embedding in the text encoder, which a tokenizer of another model may have */
function checkVocabulary(ids: readonly number[], first: number, vocabulary: number): void {
  const id = ids.find((i) => i < first && i >= vocabulary);
  if (id === undefined) return;
  throw new RequestError(
    `the prompt has a token with id ${id}, but the text encoder has embeddings for ids below ${vocabulary}; its tokenizer belongs to another model`,
  );
}
