/**
 * Textual inversion (Gal et al. 2022, arXiv 2208.01618): the embeddings of a new token are trained, in each text encoder of the model. Gradients
 * go through the denoiser to its text, and through the text encoders to the embeddings.
 */
import { readFloats } from "../checkpoint/index.js";
import { RequestError } from "../errors.js";
import { FAMILIES } from "../families/index.js";
import type { Model, Pair } from "../generate/index.js";
import { type Builder, bindDimensions, encodeGraph, gradientOf, type Value } from "../graph/index.js";
import { type Conditioning, drawTextEncoder, pooledIndex } from "../models/index.js";
import { floats, loadGradients, product } from "../networks/index.js";
import type { Tensors } from "../optim/index.js";
import type { Session } from "../runtime/index.js";
import type { InputOf } from "../schema/index.js";
import { concatLast, type FloatTensor, float, int, type Tensor } from "../tensor/index.js";
import { type ClipEncoderParts, inversionInputs, type TextEncoderParts, textEncoders } from "../text/index.js";
import type { wordFields } from "./fields.js";
import type { TrainedLora } from "./lora.js";
import { type LossNetwork, openLoss, type TrainedCall } from "./loss.js";
import { parameterInputs, type TrainedWeights } from "./trained.js";

/** A token to be learned from images, and how. */
export type WordRequest = InputOf<typeof wordFields>;

/** A token with embeddings that are trained. */
export interface TrainedWord {
  readonly token: string;
  /** Number of its embeddings. */
  readonly vectors: number;
}

/** A prompt that is encoded anew at each update: its ids for each text encoder. */
export interface WordedPrompt extends Conditioning {
  readonly ids: readonly (readonly number[])[];
  readonly truncated: number;
}

/** Name of a parameter: the embeddings [n, D] of a text encoder. */
export const parameterOf = (encoder: number): string => `text encoder ${encoder + 1}`;

/** The text encoders of a model with a new token. */
export interface WordEncoders {
  readonly word: TrainedWord;
  /** First values: the embedding of a word's first token, n times. @throws RequestError for a word without a token */
  like(word: string): Promise<Tensors>;
  /** @throws RequestError for a prompt in which the token does not occur, or is cut off */
  prompt(text: string): WordedPrompt;
  encode(prompt: WordedPrompt, values: Tensors): Promise<Conditioning>;
  /** Gradients of the embeddings, from those of the hidden states [1, L, D] and of the pooled text. */
  pull(prompt: WordedPrompt, values: Tensors, cotangent: TextCotangent): Promise<Tensors>;
  release(): Promise<void>;
}

/** Gradients of an encoded prompt. */
export interface TextCotangent {
  readonly text: FloatTensor;
  readonly pooled: FloatTensor | null;
}

const [HIDDEN, POOLED, EMBEDDINGS, PRODUCT] = ["hidden_state", "text_embeds", "textual_inversion", "product"] as const;
const TABLE = "embeddings.token_embedding.weight";

/** @throws RequestError for text encoders other than CLIP's, or a token that cannot be added */
export function openWord(
  { engine, family }: Pick<Pair, "engine" | "family">,
  parts: readonly TextEncoderParts[],
  word: TrainedWord,
): WordEncoders {
  const encoders = parts.map((part, i) => {
    if (part.kind !== undefined && part.kind !== "clip")
      throw new RequestError(`textual inversions are for CLIP; ${FAMILIES[family].title} has another text encoder`);
    return openEncoder({ engine, family }, part, i, word);
  });
  const marked = (ids: readonly (readonly number[])[]) =>
    encoders.every((e, i) => (ids[i] ?? []).filter((id) => id >= e.first).length >= word.vectors);
  return {
    word,
    async like(text) {
      const values = await Promise.all(encoders.map((e) => e.like(text)));
      return Object.fromEntries(values.map((value, i) => [parameterOf(i), value]));
    },
    prompt(text) {
      const found = encoders.map((e) => e.tokens(text));
      const ids = found.map((f) => f.ids);
      if (!marked(ids))
        throw new RequestError(`${word.token} does not occur in the prompt, or is cut off: ${JSON.stringify(text)}`);
      return { ids, streams: {}, truncated: Math.max(...found.map((f) => f.truncated)) };
    },
    async encode({ ids }, values) {
      const made = [];
      for (const [i, e] of encoders.entries()) made.push(await e.encode(ids[i] ?? [], embeddingsOf(values, i)));
      const pooled = made.findLast((m) => m.pooled)?.pooled;
      return { streams: { text: concatLast(made.map((m) => m.hidden)) }, ...(pooled && { pooled }) };
    },
    async pull({ ids }, values, { text, pooled }) {
      const gradients: [string, FloatTensor][] = [];
      let from = 0;
      for (const [i, e] of encoders.entries()) {
        const hidden = columns(text, from, e.features);
        from += e.features;
        const own = ids[i] ?? [];
        gradients.push([parameterOf(i), await e.pull(own, embeddingsOf(values, i), { text: hidden, pooled })]);
      }
      return Object.fromEntries(gradients);
    },
    async release() {
      for (const e of encoders) await e.release();
    },
  };
}

/** One text encoder with the new token. */
function openEncoder(
  { engine, family }: Pick<Pair, "engine" | "family">,
  { config, tokenizer: own, weights, pooled }: ClipEncoderParts,
  index: number,
  word: TrainedWord,
) {
  const { skip, finalNorm } = FAMILIES[family].text;
  const tokenizer = own.withTokens([word]);
  const first = own.size;
  const sizes = { B: 1 };
  const graph = async () =>
    drawTextEncoder(config, await weights(), {
      tokens: own.maxLength,
      state: { back: skip, finalNorm },
      pooled,
      textualInversion: true,
    });
  const scalar = (g: Builder, output: (name: string) => Value): Value => {
    const hidden = product(g, output(HIDDEN), `cotangent ${HIDDEN}`);
    return pooled ? g.add(hidden, product(g, output(POOLED), `cotangent ${POOLED}`)) : hidden;
  };
  const sessions: { forward?: Promise<Session>; backward?: Promise<Session> } = {};
  const forward = async () => engine.runtime.load(encodeGraph(bindDimensions(await graph(), sizes)), engine.upcast);
  const backward = async () => loadGradients(engine, await graph(), { of: PRODUCT, scalar, to: [EMBEDDINGS], sizes });
  function feedsOf(ids: readonly number[], value: FloatTensor): Record<string, Tensor> {
    // Inversions of all encoders are listed; only that of this one is read.
    const embeddings = Array.from({ length: index + 1 }, () => value);
    const inversion = { token: word.token, name: word.token, embeddings };
    return {
      input_ids: int(
        [1, ids.length],
        ids.map((id) => (id >= first ? 0 : id)),
      ),
      ...(pooled && { pooled_index: int([1], [pooledIndex(ids, config.eosToken)]) }),
      ...inversionInputs(ids, first, [inversion], index, config.features),
    };
  }
  return {
    first,
    features: config.features,
    tokens: (text: string) => tokenizer.encode(text),
    async like(text: string): Promise<FloatTensor> {
      const [id] = own.units(text).flat();
      const table = [...(await weights()).weights].find(([name]) => name.endsWith(TABLE))?.[1];
      if (id === undefined || !table) throw new RequestError(`--initialize ${JSON.stringify(text)} has no token`);
      const row = (await readFloats(table)).subarray(id * config.features, (id + 1) * config.features);
      const value = float([word.vectors, config.features]);
      for (let i = 0; i < word.vectors; i++) value.data.set(row, i * config.features);
      return value;
    },
    async encode(ids: readonly number[], value: FloatTensor) {
      sessions.forward ??= forward();
      const { outputs } = await (await sessions.forward).run(feedsOf(ids, value));
      return { hidden: floats(outputs[HIDDEN]), pooled: pooled ? floats(outputs[POOLED]) : null };
    },
    async pull(ids: readonly number[], value: FloatTensor, cotangent: TextCotangent): Promise<FloatTensor> {
      sessions.backward ??= backward();
      const feeds = { ...feedsOf(ids, value), [`cotangent ${HIDDEN}`]: cotangent.text };
      const more = pooled && cotangent.pooled ? { [`cotangent ${POOLED}`]: cotangent.pooled } : {};
      const { outputs } = await (await sessions.backward).run({ ...feeds, ...more });
      const found = floats(outputs[gradientOf(EMBEDDINGS)]).data;
      const gradient = float(value.shape);
      for (const [at, id] of ids.entries()) {
        for (let f = 0; id >= first && f < config.features; f++) {
          const to = (id - first) * config.features + f;
          gradient.data[to] = (gradient.data[to] ?? 0) + (found[at * config.features + f] ?? 0);
        }
      }
      return gradient;
    },
    async release() {
      for (const session of Object.values(sessions)) await (await session).release();
    },
  };
}

function embeddingsOf(values: Tensors, encoder: number): FloatTensor {
  const value = values[parameterOf(encoder)];
  if (!value) throw new RangeError(`there are no embeddings for ${parameterOf(encoder)}`);
  return value;
}

/** Columns [from, from + count) of x [1, L, D]. */
function columns({ shape, data }: FloatTensor, from: number, count: number): FloatTensor {
  const [, rows = 0, all = 0] = shape;
  const part = float([1, rows, count]);
  for (let row = 0; row < rows; row++)
    part.data.set(data.subarray(row * all + from, row * all + from + count), row * count);
  return part;
}

/**
 * A denoiser whose prompts have the word: the loss with its gradients towards the word's embeddings, and towards what is trained of the denoiser
 * with them. Prompts that are encoded already stay as they are.
 */
export async function openWordLoss(
  pair: Pick<Pair, "engine">,
  model: Pick<Model, "denoiser" | "weights">,
  encoders: WordEncoders,
  {
    trained = { weights: [] },
    ...options
  }: { readonly trained?: TrainedLora | TrainedWeights; readonly recompute?: boolean | undefined } = {},
): Promise<LossNetwork> {
  const { smallest, draw } = model.denoiser;
  const { inputs } = draw(smallest, await model.weights());
  const names = ["encoder_hidden_states", "text_embeds"].filter((name) => inputs.has(name));
  const denoiser = await openLoss(pair, model, { ...trained, inputs: names }, options);
  const own = parameterInputs(trained).names;
  /** Values or gradients of what is trained of the denoiser. */
  const ofDenoiser = (all: Tensors): Tensors => Object.fromEntries(own.flatMap((n) => (all[n] ? [[n, all[n]]] : [])));

  /** A call with each prompt encoded, and the prompts of its samples with the word, each once. */
  async function encoded<C extends TrainedCall>(call: C, values: Tensors) {
    const prompts = new Map<Conditioning, Conditioning>();
    for (const prompt of call.conditioning)
      if (!prompts.has(prompt)) {
        const worded = wordedOf(prompt);
        if (worded) prompts.set(prompt, await encoders.encode(worded, values));
      }
    const conditioning = call.conditioning.map((prompt) => prompts.get(prompt) ?? prompt);
    return { call: { ...call, conditioning }, prompts: [...prompts.keys()] };
  }
  return {
    async run(batch, values) {
      const { call, prompts } = await encoded(batch, values);
      const { loss, gradients: found } = await denoiser.run(call, ofDenoiser(values));
      let gradients: Tensors = {};
      for (const prompt of prompts) {
        const worded = wordedOf(prompt);
        const samples = batch.conditioning.flatMap((c, i) => (c === prompt ? [i] : []));
        const [text, pooled] = names.map((name) => summed(found[name], samples));
        if (!text || !worded) throw new RangeError("the denoiser reads no text");
        const ofWord = await encoders.pull(worded, values, { text, pooled: pooled ?? null });
        gradients = Object.fromEntries(
          Object.entries(ofWord).map(([name, value]) => [name, plus(value, gradients[name])]),
        );
      }
      return { loss, gradients: { ...ofDenoiser(found), ...gradients } };
    },
    memory: () => denoiser.memory(),
    predict: async (call, values) => denoiser.predict((await encoded(call, values)).call, ofDenoiser(values)),
    release: () => denoiser.release(),
  };
}

/** A prompt with the word; undefined for one that is encoded already. */
function wordedOf(prompt: Conditioning): WordedPrompt | undefined {
  return "ids" in prompt && Array.isArray(prompt.ids) ? { truncated: 0, ...prompt, ids: prompt.ids } : undefined;
}

const plus = (a: FloatTensor, b: FloatTensor | undefined): FloatTensor =>
  float(
    a.shape,
    a.data.map((v, i) => v + (b?.data[i] ?? 0)),
  );

/** Sum of some samples of x [B, …] → [1, …]. */
function summed(all: FloatTensor | undefined, samples: readonly number[]): FloatTensor | undefined {
  if (!all) return undefined;
  const [, ...shape] = all.shape;
  const sum = float([1, ...shape]);
  const size = sum.data.length;
  for (const i of samples)
    for (let k = 0; k < size; k++) sum.data[k] = (sum.data[k] ?? 0) + (all.data[i * size + k] ?? 0);
  return sum;
}

/** A pair whose prompts may have the word; its text encoders are its own, and to be released. */
export const withWord = async <P extends Pair>(
  pair: P,
  parts: readonly TextEncoderParts[],
  { token }: TrainedWord,
  values: Tensors,
): Promise<P> => {
  const embeddings = Object.keys(values).flatMap((_, i) => values[parameterOf(i)] ?? []);
  return {
    ...pair,
    text: await textEncoders(pair.engine.runtime, pair.family, parts, [{ token, name: token, embeddings }]),
  };
};

/** Tensors of the file of a word: by token for one text encoder, as diffusers and A1111 read them; clip_l and clip_g for SDXL's two. */
export function wordFile({ token }: TrainedWord, values: Tensors): Readonly<Record<string, FloatTensor>> {
  const [first, second] = [0, 1].map((i) => values[parameterOf(i)]);
  if (!first) throw new RangeError("the word has no embeddings");
  return second ? { clip_l: first, clip_g: second } : { [token]: first };
}
