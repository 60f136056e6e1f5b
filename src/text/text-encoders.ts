/** Prompt embeddings of a pipeline: hidden states and pooled text of its text encoders, cached by prompt. */
import { RequestError } from "../errors.js";
import { FAMILIES, type Family, factsOf } from "../families/index.js";
import type { NetworkOptions } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { concatLast } from "../tensor/index.js";
import type { LanguageModelParts } from "./chat-encoder.js";
import type { EncodedPrompt, TextEncoders, UnusedInversion } from "./encoded-prompt.js";
import type { GemmaParts } from "./gemma-encoder.js";
import { type PromptSyntax, plainText } from "./syntax.js";
import type { AbsentParts, T5Parts } from "./t5-encoder.js";
import { type ClipEncoderParts, type EncodedText, textEncoder } from "./text-encoder.js";
import type { TextualInversion } from "./textual-inversion.js";

/** Parts of one text encoder. */
export type TextEncoderParts = ClipEncoderParts | LanguageModelParts | GemmaParts | T5Parts | AbsentParts;

/** Number of cached prompts; one of SDXL takes 0.6 MB. */
const CACHED = 64;

/** The text encoders other than CLIP, which have no textual inversions, in words. */
const WITHOUT_INVERSIONS = { t5: "T5", absent: "T5", gemma: "Gemma", "language model": "a language model" } as const;

/**
 * Creates the text encoders of a pipeline. Hidden states of several encoders are concatenated along the features. With clip skip k the
 * hidden state is `hidden_states[-(k + 1)]` for Stable Diffusion and `hidden_states[-(k + 2)]` for SDXL, as in diffusers.
 * @throws RequestError when the token of a textual inversion cannot be added to a tokenizer
 */
export async function textEncoders(
  runtime: Runtime,
  family: Family,
  parts: readonly TextEncoderParts[],
  inversions: readonly TextualInversion[] = [],
  options: NetworkOptions = {},
): Promise<TextEncoders> {
  const other = parts.find((part) => !isClip(part));
  if (!other) return withCache(clipEncoders(runtime, family, parts.filter(isClip), inversions, options));
  if (inversions.length > 0) {
    throw new RequestError(
      `textual inversions are for CLIP's hidden states; the text of this model is ${WITHOUT_INVERSIONS[other.kind]}'s`,
      { field: "embeddings" },
    );
  }
  return withCache(await transformerEncoders(runtime, family, other, parts.filter(isClip), options));
}

/** Text encoders other than CLIP, with the CLIPs beside them. Loaded when a family has one: pages run CLIP. */
async function transformerEncoders(
  runtime: Runtime,
  family: Family,
  part: Exclude<TextEncoderParts, ClipEncoderParts>,
  clips: readonly ClipEncoderParts[],
  options: NetworkOptions,
): Promise<TextEncoders> {
  const { text, textEncoders: slots } = factsOf(family);
  const { skip, finalNorm, chat, instruction, tokens = DEFAULT_TOKENS, visiblePadding } = text;
  if (part.kind === "gemma") {
    if (!instruction) throw new RangeError(`${family} has no instruction for Gemma`);
    const { gemmaEncoder } = await import("./gemma-encoder.js");
    return gemmaEncoder(runtime, instruction, part, options);
  }
  if (part.kind === "language model") {
    if (!chat) throw new RangeError(`${family} has no chat format for a language model`);
    const { chatEncoder } = await import("./chat-encoder.js");
    return chatEncoder(runtime, chat, text, part, options);
  }
  const joins = clips.length > 0 && slots.every(({ states = true }) => states);
  const { t5Encoders } = await import("./t5-encoder.js");
  return t5Encoders(runtime, { clips, t5: part }, { tokens, visiblePadding, joins, skip, finalNorm }, options);
}

/** The encoders with a cache of their prompts. */
function withCache(own: TextEncoders): TextEncoders {
  const prompts = cached<EncodedPrompt>(CACHED);
  const encodeBy =
    (side: string, encode: TextEncoders["encode"]): TextEncoders["encode"] =>
    async (prompt, clipSkip, adapted = [], syntax = "plain", length = own.tokens) => {
      own.lengthOf(prompt, syntax);
      const stacks = adapted.map((a) => a && [a.stack.graphKey, a.stack.inputKey, a.scales]);
      const key = JSON.stringify([side, prompt, clipSkip, stacks, syntax, length]);
      return prompts(key, () => encode(prompt, clipSkip, adapted, syntax, length));
    };
  const { encode, encodeNegative } = own;
  return {
    ...own,
    encode: encodeBy("prompt", encode),
    ...(encodeNegative && { encodeNegative: encodeBy("negative", encodeNegative) }),
  };
}

/** Length of the text of T5 for a family that states none. */
const DEFAULT_TOKENS = 512;

const isClip = (part: TextEncoderParts): part is ClipEncoderParts => part.kind === undefined || part.kind === "clip";

function clipEncoders(
  runtime: Runtime,
  family: Family,
  parts: readonly ClipEncoderParts[],
  inversions: readonly TextualInversion[],
  options: NetworkOptions,
): TextEncoders {
  const { skip, finalNorm } = FAMILIES[family].text;
  const tokens = parts[0]?.tokenizer.maxLength ?? 77;
  const encoders = parts.map((part, i) => textEncoder(i, part, { runtime, finalNorm, inversions, options }));

  /** @throws RequestError where tokenizers of different vocabularies make different numbers of chunks */
  function lengthOf(prompt: string, syntax: PromptSyntax): number {
    if (syntax === "plain") return tokens;
    const lengths = encoders.map((e) => e.chunks(prompt, syntax).chunks.length * e.tokenizer.maxLength);
    const [first = 0] = lengths;
    if (lengths.every((length) => length === first)) return first;
    throw new RequestError(`the text encoders read the prompt as ${lengths.join(" and ")} tokens; shorten it`);
  }

  const encode: TextEncoders["encode"] = async (prompt, clipSkip, adapted = [], syntax = "plain") => {
    const encoded: EncodedText[] = [];
    for (const [i, encoder] of encoders.entries()) {
      encoded.push(await encoder.encode(prompt, { syntax, back: skip + clipSkip, adapted: adapted[i] ?? null }));
    }
    const pooled = encoded.findLast((e) => e.pooled)?.pooled;
    return {
      streams: { text: concatLast(encoded.map((e) => e.state)) },
      ...(pooled && { pooled }),
      truncated: Math.max(...encoded.map((e) => e.truncated)),
    };
  };
  return {
    encode,
    lengthOf,
    unknownWords: (prompt, syntax) => {
      const text = inversions.reduce((left, { name }) => left.replaceAll(name, " "), plainText(prompt, syntax));
      return [...new Set(encoders.flatMap(({ tokenizer }) => tokenizer.unknownWords(text)))];
    },
    unusedInversions: (prompts, syntax) => {
      const [encoder] = encoders;
      const chunks = prompts.flatMap((prompt) => encoder?.chunks(prompt, syntax).chunks ?? []);
      return unusedAmong(inversions, parts[0]?.tokenizer.size ?? 0, new Set(chunks.flatMap(({ ids }) => ids)));
    },
    unconditional: "",
    copies: true,
    tokens,
    maxClipSkip: Math.min(...parts.map(({ config }) => config.layers)) - skip,
    weights: parts.map((part) => part.weights),
    release: async () => {
      for (const encoder of encoders) await encoder.release();
    },
  };
}

/** Files of textual inversions of which no token is among the ids. @param first id of the first one, whose vectors have the ids from there on */
function unusedAmong(
  inversions: readonly TextualInversion[],
  first: number,
  ids: ReadonlySet<number>,
): UnusedInversion[] {
  const files = new Map<string, { readonly tokens: string[]; used: boolean }>();
  let id = first;
  for (const { name, token, embeddings } of inversions) {
    const file = files.get(name) ?? { tokens: [], used: false };
    file.tokens.push(token);
    file.used ||= ids.has(id);
    files.set(name, file);
    id += embeddings[0]?.shape[0] ?? 0;
  }
  return [...files].flatMap(([name, { tokens, used }]) => (used ? [] : { name, tokens }));
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
