/** T5 as a text encoder, with CLIPs beside it where the family has them: their pooled text, and their hidden states before those of T5. */
import type { TokenizerFiles } from "../checkpoint/index.js";
import {
  type ConfigFile,
  drawT5,
  parseT5Config,
  relativeBuckets,
  type T5Config,
  type T5Shape,
} from "../models/index.js";
import { type Call, finite, type NetworkOptions, network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { concatLast, type FloatTensor, float, int, type WeightIndex } from "../tensor/index.js";
import { attentionBias } from "./attention-bias.js";
import { type AdaptedText, adapterFeeds, type TextEncoders } from "./encoded-prompt.js";
import { mustBePlain, plainText } from "./syntax.js";
import { createT5Tokenizer, type T5Tokenizer } from "./t5-tokenizer.js";
import { type ClipEncoderParts, type EncodedText, textEncoder } from "./text-encoder.js";
import { checkVocabulary } from "./vocabulary.js";

/** Parts of a text encoder that is T5. */
export interface T5Parts {
  readonly kind: "t5";
  readonly config: T5Config;
  readonly tokenizer: T5Tokenizer;
  readonly weights: () => Promise<WeightIndex>;
}

/** Parts from the files of a checkpoint. @throws UnsupportedConfigError for its config; FileError for its tokenizer */
export const t5Parts = (source: ConfigFile, files: TokenizerFiles): Omit<T5Parts, "weights"> => ({
  kind: "t5",
  config: parseT5Config(source),
  tokenizer: createT5Tokenizer(files),
});

/** In place of a T5 that a checkpoint leaves out: its hidden states are zeros of this many features. */
export interface AbsentParts {
  readonly kind: "absent";
  readonly config: { readonly features: number };
  readonly weights: () => Promise<WeightIndex>;
}

/** A family's encoders: T5, and the CLIPs before it. */
export interface T5Encoders {
  readonly clips: readonly ClipEncoderParts[];
  readonly t5: T5Parts | AbsentParts;
}

/** How a family joins the text of its encoders. */
export interface T5Joining {
  /** Length of T5's text where a call names none. */
  readonly tokens: number;
  /** T5 reads no padding, and the denoiser this many tokens of it. Default: both read all of it. */
  readonly visiblePadding?: number | undefined;
  /** The hidden states of the CLIPs, concatenated and filled with zeros to T5's features, come before T5's. */
  readonly joins: boolean;
  /** Layers skipped at the end of the CLIPs, and whether the final norm is applied to their hidden states. */
  readonly skip: number;
  readonly finalNorm: boolean;
}

/**
 * Creates the text encoders of a family with T5. The stream "text" [1, L, D] has the hidden states after the final norm for all tokens of T5,
 * padding too. T5 attends to padding as well, unless `visiblePadding` is given: then a mask "text" [1, L] has the tokens that the denoiser reads.
 * The pooled text is that of the CLIPs, concatenated.
 */
export function t5Encoders(
  runtime: Runtime,
  { clips, t5 }: T5Encoders,
  { tokens, visiblePadding, joins, skip, finalNorm }: T5Joining,
  options: NetworkOptions,
): TextEncoders {
  const beside = clips.map((clip, i) => textEncoder(i, clip, { runtime, finalNorm, inversions: [], options }));
  const last = t5.kind === "t5" ? t5States(runtime, clips.length, t5, visiblePadding, options) : null;
  const before = joins ? (clips[0]?.tokenizer.maxLength ?? 0) : 0;
  const { features } = t5.config;

  const encode: TextEncoders["encode"] = async (
    prompt,
    clipSkip,
    adapted = [],
    _syntax = "plain",
    length = before + tokens,
  ) => {
    const own = await last?.encode(prompt, length - before, adapted[clips.length] ?? null);
    const text = own?.text ?? float([1, length - before, features]);
    const encoded: EncodedText[] = [];
    for (const [i, encoder] of beside.entries()) {
      const back = skip + clipSkip;
      encoded.push(await encoder.encode(prompt, { syntax: "plain", back, adapted: adapted[i] ?? null }));
    }
    const pooled = encoded.flatMap((e) => e.pooled ?? []);
    const cut = [...(joins ? encoded : []), ...(own ? [own] : [])].map((e) => e.truncated);
    return {
      streams: { text: joins ? after(concatLast(encoded.map(({ state }) => state)), text) : text },
      ...(own?.mask && { masks: { text: own.mask } }),
      ...(pooled.length > 0 && { pooled: concatLast(pooled) }),
      truncated: Math.max(0, ...cut),
    };
  };
  return {
    encode,
    lengthOf(_prompt, syntax) {
      mustBePlain(syntax, "T5");
      return before + tokens;
    },
    unknownWords: (prompt, syntax) => [
      ...new Set(beside.flatMap(({ tokenizer }) => tokenizer.unknownWords(plainText(prompt, syntax)))),
    ],
    unusedInversions: () => [],
    unconditional: "",
    copies: false,
    tokens: before + tokens,
    shortest: before,
    maxClipSkip: joins ? Math.min(...clips.map(({ config }) => config.layers)) - skip : 0,
    weights: [...clips.map(({ weights }) => weights), t5.weights],
    async release() {
      for (const encoder of beside) await encoder.release();
      await last?.release();
    },
  };
}

/** T5 alone, as the `index`-th text encoder of a pipeline. */
function t5States(
  runtime: Runtime,
  index: number,
  { config, tokenizer, weights }: T5Parts,
  visiblePadding: T5Joining["visiblePadding"],
  options: NetworkOptions,
) {
  const encoder = network<T5Shape>(
    `text_encoder_${index + 1}`,
    runtime,
    (shape, own) => drawT5(config, own, shape),
    weights,
    options,
  );
  /** Buckets of the relative positions by length. */
  const places = new Map<number, ReturnType<typeof int>>();
  const placesOf = (length: number) => {
    const known = places.get(length) ?? int([length, length], relativeBuckets(length, config));
    places.set(length, known);
    return known;
  };
  return {
    /** Hidden states [1, length, D], the tokens that the denoiser reads where these are not all, and the number of tokens that were cut. */
    async encode(prompt: string, length: number, own: AdaptedText | null) {
      const { ids, truncated, used } = tokenizer.encode(prompt, length);
      const masked = visiblePadding !== undefined;
      checkVocabulary(ids, config.vocabulary);
      const { outputs } = await encoder.run(
        { tokens: length, masked },
        {
          input_ids: int([1, length], ids),
          position_buckets: placesOf(length),
          ...(masked && { attention_bias: attentionBias(length, () => used) }),
          ...adapterFeeds(own),
        },
        own?.stack ?? null,
      );
      const call: Call = { network: `text encoder ${index + 1}`, at: JSON.stringify(prompt), weights };
      const read = Float32Array.from({ length }, (_, i) => (i < used + (visiblePadding ?? 0) ? 1 : 0));
      const mask = masked ? float([1, length], read) : null;
      return { text: await finite(outputs["hidden_state"], call), mask, truncated };
    },
    release: () => encoder.release(),
  };
}

/** Tokens [1, L, d], filled with zeros to D features, and after them tokens [1, N, D]: [1, L + N, D]. */
function after(first: FloatTensor, rest: FloatTensor): FloatTensor {
  const [, length = 0, width = 0] = first.shape;
  const [, more = 0, features = 0] = rest.shape;
  const data = new Float32Array((length + more) * features);
  for (let i = 0; i < length; i++) data.set(first.data.subarray(i * width, (i + 1) * width), i * features);
  data.set(rest.data, length * features);
  return float([1, length + more, features], data);
}
