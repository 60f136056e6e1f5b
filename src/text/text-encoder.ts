/** One text encoder: a prompt → hidden states of its chunks, and pooled text. */
import { drawTextEncoder, pooledIndex, type TextEncoderConfig } from "../models/index.js";
import { type Call, finite, type Network, type NetworkOptions, network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { type FloatTensor, float, int, stack, type WeightIndex } from "../tensor/index.js";
import { CHUNKS, type Chunk, type TokenizedPiece } from "./chunks.js";
import { EMPHASIS } from "./emphasis.js";
import { type AdaptedText, adapterFeeds } from "./encoded-prompt.js";
import type { Piece } from "./piece.js";
import { type PromptSyntax, piecesOf } from "./syntax.js";
import { inversionInputs, inversionNamed, named, type TextualInversion, tokensOf } from "./textual-inversion.js";
import type { Tokenizer } from "./tokenizer.js";
import { checkVocabulary } from "./vocabulary.js";

/** Parts of one CLIP text encoder. */
export interface ClipEncoderParts {
  readonly kind?: "clip";
  readonly config: TextEncoderConfig;
  readonly tokenizer: Tokenizer;
  readonly weights: () => Promise<WeightIndex>;
  /** The encoder provides the pooled text, after its projection or without. */
  readonly pooled: boolean | "unprojected";
}

/** What a prompt is encoded with. */
export interface PromptOptions {
  readonly syntax: PromptSyntax;
  /** Number of final layers that are skipped. */
  readonly back: number;
  readonly adapted: AdaptedText | null;
}

/** Hidden states of all chunks [1, n L, D], pooled text of the first [1, P], number of tokens that were dropped. */
export interface EncodedText {
  readonly state: FloatTensor;
  readonly pooled: FloatTensor | null;
  readonly truncated: number;
}

export interface TextEncoder {
  readonly config: TextEncoderConfig;
  readonly tokenizer: Tokenizer;
  readonly weights: () => Promise<WeightIndex>;
  /** Chunks of a prompt, and the number of tokens that were dropped. @throws RequestError for markup that cannot be used */
  chunks(prompt: string, syntax: PromptSyntax): { readonly chunks: readonly Chunk[]; readonly truncated: number };
  encode(prompt: string, options: PromptOptions): Promise<EncodedText>;
  release(): Promise<void>;
}

/**
 * Creates the `index`-th text encoder of a pipeline.
 * @throws RequestError when the token of a textual inversion cannot be added to its tokenizer
 */
export function textEncoder(
  index: number,
  { config, tokenizer: own, weights, pooled }: ClipEncoderParts,
  { runtime, finalNorm, inversions, options }: EncoderContext,
): TextEncoder {
  const textualInversion = inversions.length > 0;
  const tokenizer = textualInversion ? own.withTokens(tokensOf(inversions)) : own;
  const context: Encoding = {
    name: `text encoder ${index + 1}`,
    config,
    weights,
    pooled,
    inputsOf: (ids) => (textualInversion ? inversionInputs(ids, own.size, inversions, index, config.features) : {}),
    firstInverted: own.size,
    network: network(
      `text_encoder_${index + 1}`,
      runtime,
      ({ back }, index) => {
        const state = { back, finalNorm };
        return drawTextEncoder(config, index, { tokens: own.maxLength, state, pooled, textualInversion });
      },
      weights,
      options,
    ),
  };
  const chunksOf: TextEncoder["chunks"] = (prompt, syntax) => {
    const pieces = piecesOf(prompt, syntax).map((piece) => tokenized(piece, syntax, tokenizer, inversions));
    const limits = { length: tokenizer.maxLength - 2, comma: tokenizer.idOf(",</w>") };
    const chunks = CHUNKS[syntax](pieces, limits);
    const kept = chunks.reduce((n, { ids }) => n + ids.length, 0);
    const all = pieces.reduce((n, piece) => n + (piece.kind === "break" ? 0 : piece.units.flat().length), 0);
    return { chunks, truncated: all - kept };
  };
  return {
    config,
    tokenizer,
    weights,
    chunks: chunksOf,
    async encode(prompt, promptOptions) {
      const { syntax } = promptOptions;
      const { chunks, truncated } = chunksOf(prompt, syntax);
      const run = (chunk: Chunk) => encodeChunk(context, tokenizer, prompt, chunk, promptOptions);
      const { usesEmpty, apply } = EMPHASIS[syntax];
      const weighted = chunks.some(({ weights }) => weights.some((w) => w !== 1));
      const empty = usesEmpty && weighted ? (await run({ ids: [], weights: [] })).state : null;
      const states: FloatTensor[] = [];
      let text: FloatTensor | null = null;
      for (const chunk of chunks) {
        const { state, pooled } = await run(chunk);
        // The start token has weight 1.
        states.push(weighted ? apply({ state, empty: empty ?? state, weights: [1, ...chunk.weights] }) : state);
        text ??= pooled;
      }
      const { shape, data } = stack(states);
      const [n = 1, tokens = 0, features = 0] = shape;
      return { state: float([1, n * tokens, features], data), pooled: text, truncated };
    },
    release: () => context.network.release(),
  };
}

/** What the text encoders of a pipeline share. */
export interface EncoderContext {
  readonly runtime: Runtime;
  /** The final layer norm is applied to the hidden state. */
  readonly finalNorm: boolean;
  readonly inversions: readonly TextualInversion[];
  readonly options: NetworkOptions;
}

interface Encoding {
  readonly name: string;
  readonly config: TextEncoderConfig;
  readonly weights: () => Promise<WeightIndex>;
  readonly pooled: ClipEncoderParts["pooled"];
  readonly inputsOf: (ids: readonly number[]) => Readonly<Record<string, FloatTensor>>;
  /** First id of the tokens of textual inversions. */
  readonly firstInverted: number;
  readonly network: Network<{ readonly back: number }>;
}

/** Tokens of a piece. @throws RequestError for a textual inversion that is not loaded */
function tokenized(
  piece: Piece,
  syntax: PromptSyntax,
  tokenizer: Tokenizer,
  inversions: readonly TextualInversion[],
): TokenizedPiece {
  if (piece.kind === "break") return piece;
  const { kind, weight } = piece;
  if (kind === "embedding") {
    const { token } = inversionNamed(piece.name, inversions);
    return { kind, weight, units: tokenizer.units(token) };
  }
  const units = tokenizer.units(piece.text);
  // A1111 finds textual inversions by their names.
  return { kind, weight, units: syntax === "a1111" ? named(units, inversions, tokenizer) : units };
}

/** Encodes one chunk: hidden state [1, L, D] and pooled text [1, P]. */
async function encodeChunk(
  { name, config, pooled, inputsOf, firstInverted: first, network, weights }: Encoding,
  tokenizer: Tokenizer,
  prompt: string,
  chunk: Chunk,
  { syntax, back, adapted }: PromptOptions,
): Promise<{ state: FloatTensor; pooled: FloatTensor | null }> {
  const ids = tokenizer.frame(chunk.ids);
  checkVocabulary(
    ids.filter((id) => id < first),
    config.vocabulary,
  );
  // Configs with eos_token_id 2 pool the largest id, which may be an added token's; transformers does the same, A1111 and ComfyUI do not.
  const index = syntax === "plain" ? pooledIndex(ids, config.eosToken) : 1 + chunk.ids.length;
  const inverted = inputsOf(ids);
  const known = Object.keys(inverted).length > 0 ? ids.map((id) => (id >= first ? 0 : id)) : ids;
  const { outputs } = await network.run(
    { back },
    {
      input_ids: int([1, ids.length], known),
      ...(pooled && { pooled_index: int([1], [index]) }),
      ...inverted,
      ...adapterFeeds(adapted),
    },
    adapted?.stack ?? null,
  );
  const call: Call = { network: name, at: JSON.stringify(prompt), weights };
  return {
    state: await finite(outputs["hidden_state"], call),
    pooled: pooled ? await finite(outputs["text_embeds"], call) : null,
  };
}
