/** Prompts as the UNet takes them: hidden states and pooled text of one or two text encoders, the way the checkpoint's pipeline does it. */
import type { Stack } from "../adapters/index.js";
import { FAMILIES, type Family } from "../families/index.js";
import { type Conditioning, drawTextEncoder, pooledIndex, type TextEncoderConfig } from "../models/index.js";
import { finite, type NetworkOptions, network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { count, type FloatTensor, float, int, type WeightIndex } from "../tensor/index.js";
import type { LearnedWord } from "./textual-inversion.js";
import type { NewWord, Tokenizer, Tokens } from "./tokenizer.js";

/** One prompt, encoded: a stream "text" [1, L, D], and pooled text [1, P] where the family has it. */
export interface EncodedPrompt extends Conditioning {
  /** Tokens that did not fit, over all tokenizers the most. */
  readonly truncated: number;
}

export interface TextEncoderParts {
  readonly config: TextEncoderConfig;
  readonly tokenizer: Tokenizer;
  readonly weights: () => Promise<WeightIndex>;
  /** Gives the pooled text too. */
  readonly pooled: boolean;
}

export interface TextEncoders {
  /** `clipSkip` layers more are left out at the end; `adapted` says what is stacked on each encoder, and how strongly. */
  encode(prompt: string, clipSkip: number, adapted?: readonly (AdaptedText | null)[]): Promise<EncodedPrompt>;
  /** Conditioning of no prompt at all: zeros of the same shape. */
  zeros(like: EncodedPrompt): EncodedPrompt;
  readonly weights: readonly (() => Promise<WeightIndex>)[];
  /** Length of an encoded prompt, L. */
  readonly tokens: number;
  /** Layers of each encoder. */
  readonly layers: readonly number[];
  /** Lets the encoders go; encoded prompts are kept. */
  release(): Promise<void>;
}

/** Adapters on one text encoder. */
export interface AdaptedText {
  readonly stack: Stack;
  /** [slots]. */
  readonly scales: readonly number[];
}

/** Encoded prompts that are kept; one of SDXL's is 0.6 MB. */
const REMEMBERED = 64;

/**
 * Text encoders of a checkpoint, in order. SD takes the last hidden state under the final norm; SDXL (`family`) takes the last but
 * one of both encoders, side by side, without it. clipSkip counts from there.
 */
export function textEncoders(
  runtime: Runtime,
  family: Family,
  parts: readonly TextEncoderParts[],
  words: readonly LearnedWord[] = [],
  options: NetworkOptions = {},
): TextEncoders {
  const newWords = words.length > 0;
  const spoken = words.map((w): NewWord => ({ token: w.token, vectors: w.vectors[0]?.shape[0] ?? 0 }));
  const networks = parts.map((part, i) =>
    network(
      `text_encoder_${i + 1}`,
      runtime,
      ({ back }: { back: number }, index) =>
        drawTextEncoder(part.config, index, {
          tokens: part.tokenizer.maxLength,
          state: { back, finalNorm: FAMILIES[family].text.finalNorm },
          pooled: part.pooled,
          newWords,
        }),
      part.weights,
      options,
    ),
  );
  const known = new Map<string, Promise<EncodedPrompt>>();

  async function encode(
    prompt: string,
    clipSkip: number,
    adapted: readonly (AdaptedText | null)[],
  ): Promise<EncodedPrompt> {
    const states: FloatTensor[] = [];
    let pooled: FloatTensor | null = null;
    let truncated = 0;
    for (const [i, part] of parts.entries()) {
      const tokens = part.tokenizer.encode(prompt, spoken);
      truncated = Math.max(truncated, tokens.truncated);
      const here = adapted[i] ?? null;
      const back = FAMILIES[family].text.skip + clipSkip;
      const { outputs } =
        (await networks[i]?.run(
          { back },
          {
            input_ids: int([1, tokens.ids.length], tokens.ids),
            ...(part.pooled && { pooled_index: int([1], [pooledIndex(tokens.ids, part.config.eosToken)]) }),
            ...(newWords && wordInputs(tokens, words, i, part.config.features)),
            ...(here && here.stack.live.size > 0 && { adapter_scales: slotScales([here.scales]) }),
          },
          here?.stack ?? null,
        )) ?? {};
      const name = `text encoder ${i + 1}`;
      const at = JSON.stringify(prompt);
      states.push(finite(outputs?.hidden_state, name, at));
      if (part.pooled) pooled = finite(outputs?.text_embeds, name, at);
    }
    return { streams: { text: sideBySide(states) }, ...(pooled && { pooled }), truncated };
  }

  return {
    encode(prompt, clipSkip, adapted = []) {
      const stacks = adapted.map((a) => a && [a.stack.graphKey, a.stack.inputKey, a.scales]);
      const key = JSON.stringify([clipSkip, prompt, stacks]);
      const found = known.get(key) ?? encode(prompt, clipSkip, adapted);
      // The newest stands last; what has not been asked for the longest goes. A failure is not kept.
      known.delete(key);
      known.set(key, found);
      for (const oldest of known.keys()) {
        if (known.size <= REMEMBERED) break;
        known.delete(oldest);
      }
      found.catch(() => known.delete(key));
      return found;
    },
    zeros: ({ streams, pooled }) => ({
      streams: Object.fromEntries(Object.entries(streams).map(([name, { shape }]) => [name, float(shape)])),
      ...(pooled && { pooled: float(pooled.shape) }),
      truncated: 0,
    }),
    tokens: parts[0]?.tokenizer.maxLength ?? 77,
    layers: parts.map((part) => part.config.layers),
    weights: parts.map((part) => part.weights),
    release: async () => {
      for (const encoder of networks) await encoder.release();
    },
  };
}

/** Vectors of new words at their places, and which places the vocabulary keeps. */
function wordInputs({ ids, learned }: Tokens, words: readonly LearnedWord[], encoder: number, features: number) {
  const known = new Float32Array(ids.length).fill(1);
  const vectors = new Float32Array(ids.length * features);
  for (const { place, word, vector } of learned) {
    const data = words[word]?.vectors[encoder]?.data ?? new Float32Array();
    known[place] = 0;
    vectors.set(data.subarray(vector * features, (vector + 1) * features), place * features);
  }
  return { known_words: float([1, ids.length, 1], known), new_words: float([1, ids.length, features], vectors) };
}

/** Scales of the slots for a batch: n × [slots] → [n, slots]. */
export const slotScales = (rows: readonly (readonly number[])[]): FloatTensor =>
  float([rows.length, rows[0]?.length ?? 0], Float32Array.from(rows.flat()));

/** n × [1, L, Dᵢ] → [1, L, ΣDᵢ]. */
function sideBySide(states: readonly FloatTensor[]): FloatTensor {
  const [first] = states;
  if (!first || states.length === 1) return first ?? float([0]);
  const length = first.shape[1] ?? 0;
  const widths = states.map((s) => s.shape[2] ?? 0);
  const width = widths.reduce((n, d) => n + d, 0);
  const data = new Float32Array(count([1, length, width]));
  let column = 0;
  for (const [i, state] of states.entries()) {
    const w = widths[i] ?? 0;
    for (let l = 0; l < length; l++) data.set(state.data.subarray(l * w, (l + 1) * w), l * width + column);
    column += w;
  }
  return float([1, length, width], data);
}
