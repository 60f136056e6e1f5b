/** T5 as a text encoder, with the pooled text of a CLIP beside it where the family has one. */
import { RequestError } from "../errors.js";
import { drawT5, relativeBuckets, type T5Config, type T5Shape } from "../models/index.js";
import { adapterScales, type Call, finite, type NetworkOptions, network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { float, int, type WeightIndex } from "../tensor/index.js";
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

/**
 * Creates the text encoders of a family with T5. The stream "text" [1, L, D] has the hidden states after the final norm for all L tokens,
 * padding too, which T5 attends to as well; the pooled text is CLIP's.
 * @param tokens length L where a call names none
 */
export function t5Encoders(
  runtime: Runtime,
  { clip, t5 }: T5Encoders,
  tokens: number,
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
    const { ids, truncated } = tokenizer.encode(prompt, length);
    checkVocabulary(ids, config.vocabulary);
    const own = adapted[index] ?? null;
    const { outputs } = await encoder.run(
      { tokens: length, masked: false },
      {
        input_ids: int([1, length], ids),
        position_buckets: placesOf(length),
        ...(own && own.stack.loraLayers.size > 0 && { adapter_scales: adapterScales([own.scales]) }),
      },
      own?.stack ?? null,
    );
    const call: Call = { network: `text encoder ${index + 1}`, at: JSON.stringify(prompt), weights };
    const text = await finite(outputs["hidden_state"], call);
    const pooled = await pooling?.encode(prompt, { syntax: "plain", back: 0, adapted: adapted[0] ?? null });
    return { streams: { text }, ...(pooled?.pooled && { pooled: pooled.pooled }), truncated };
  }
  return {
    encode,
    lengthOf(_prompt, syntax) {
      mustBePlain(syntax);
      return tokens;
    },
    unknownWords: (prompt, syntax) => pooling?.tokenizer.unknownWords(plainText(prompt, syntax)) ?? [],
    unusedInversions: () => [],
    zeros: ({ streams, pooled }) => ({
      streams: Object.fromEntries(Object.entries(streams).map(([name, { shape }]) => [name, float(shape)])),
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
