/** T5 as a text encoder, with the pooled text of a CLIP beside it where the family has one. */
import { RequestError } from "../errors.js";
import { drawT5, HIDDEN, relativeBuckets, type T5Config, type T5Shape } from "../models/index.js";
import { adapterScales, type Call, finite, type NetworkOptions, network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { type FloatTensor, float, int, type WeightIndex } from "../tensor/index.js";
import type { AdaptedText, EncodedPrompt, TextEncoders } from "./encoded-prompt.js";
import { type PromptSyntax, plainText } from "./syntax.js";
import type { T5Tokenizer } from "./t5-tokenizer.js";
import { type ClipEncoderParts, textEncoder } from "./text-encoder.js";
import { checkVocabulary } from "./vocabulary.js";

/** Parts of a text encoder that is T5. */
export interface T5Parts {
  readonly kind: "t5";
  readonly config: T5Config;
  readonly tokenizer: T5Tokenizer;
  readonly weights: () => Promise<WeightIndex>;
}

/** A family's encoders: T5, and a CLIP before it. */
export interface T5Encoders {
  readonly clip: ClipEncoderParts | null;
  readonly t5: T5Parts;
}

/** Length of the text, and how much of its padding is read. */
export interface T5Length {
  /** Length L where a call names none. */
  readonly tokens: number;
  /** T5 reads no padding, and the denoiser this many tokens of it. Default: both read all of it. */
  readonly visiblePadding?: number | undefined;
}

/** Bias [1, 1, L, L] of attention to the first n of L tokens. */
function biasOf(n: number, length: number): FloatTensor {
  const data = new Float32Array(length * length);
  for (let i = 0; i < length; i++) data.fill(HIDDEN, i * length + n, (i + 1) * length);
  return float([1, 1, length, length], data);
}

/**
 * Creates the text encoders of a family with T5. The stream "text" [1, L, D] has the hidden states after the final norm for all L tokens,
 * padding too. T5 attends to padding as well, unless `visiblePadding` is given: then a mask "text" [1, L] has the tokens that the denoiser reads.
 * The pooled text is CLIP's.
 */
export function t5Encoders(
  runtime: Runtime,
  { clip, t5 }: T5Encoders,
  { tokens, visiblePadding }: T5Length,
  options: NetworkOptions,
): Omit<TextEncoders, "encode"> & {
  encode(prompt: string, adapted: readonly (AdaptedText | null)[], length?: number): Promise<EncodedPrompt>;
} {
  const { config, tokenizer, weights } = t5;
  const index = clip ? 1 : 0;
  const pooling = clip && textEncoder(0, clip, { runtime, finalNorm: true, inversions: [], options });
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

  async function encode(
    prompt: string,
    adapted: readonly (AdaptedText | null)[],
    length = tokens,
  ): Promise<EncodedPrompt> {
    const { ids, truncated, used } = tokenizer.encode(prompt, length);
    const masked = visiblePadding !== undefined;
    checkVocabulary(ids, config.vocabulary);
    const own = adapted[index] ?? null;
    const { outputs } = await encoder.run(
      { tokens: length, masked },
      {
        input_ids: int([1, length], ids),
        position_buckets: placesOf(length),
        ...(masked && { attention_bias: biasOf(used, length) }),
        ...(own && own.stack.loraLayers.size > 0 && { adapter_scales: adapterScales([own.scales]) }),
      },
      own?.stack ?? null,
    );
    const call: Call = { network: `text encoder ${index + 1}`, at: JSON.stringify(prompt), weights };
    const text = await finite(outputs["hidden_state"], call);
    const pooled = await pooling?.encode(prompt, { syntax: "plain", back: 0, adapted: adapted[0] ?? null });
    const read = Float32Array.from({ length }, (_, i) => (i < used + (visiblePadding ?? 0) ? 1 : 0));
    return {
      streams: { text },
      ...(masked && { masks: { text: float([1, length], read) } }),
      ...(pooled?.pooled && { pooled: pooled.pooled }),
      truncated,
    };
  }
  return {
    encode,
    lengthOf(_prompt, syntax) {
      mustBePlain(syntax);
      return tokens;
    },
    unknownWords: (prompt, syntax) => pooling?.tokenizer.unknownWords(plainText(prompt, syntax)) ?? [],
    unusedInversions: () => [],
    zeros: ({ streams, masks, pooled }) => ({
      streams: Object.fromEntries(Object.entries(streams).map(([name, { shape }]) => [name, float(shape)])),
      ...(masks && { masks }),
      ...(pooled && { pooled: float(pooled.shape) }),
      truncated: 0,
    }),
    copies: false,
    tokens,
    maxClipSkip: 0,
    weights: [...(clip ? [clip.weights] : []), weights],
    async release() {
      await pooling?.release();
      await encoder.release();
    },
  };
}

/** @throws RequestError for a syntax of weights and chunks, which belong to CLIP's hidden states */
function mustBePlain(syntax: PromptSyntax): void {
  if (syntax === "plain") return;
  throw new RequestError(
    `--prompt-syntax ${syntax}: weights and chunks of a prompt are CLIP's; the text of this model is T5's, which takes --prompt-syntax plain`,
    { field: "promptSyntax" },
  );
}
