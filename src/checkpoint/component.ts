/** Checkpoint in memory, independent of its storage format: networks with config and weights, tokenizers, training settings. */
import type { Family } from "../families/index.js";
import type { WeightIndex } from "../tensor/index.js";

export interface Component {
  readonly name: string;
  readonly className: string;
  readonly configFile: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tokenizer: TokenizerFiles | null;
  /** Reads the tokenizer that a file of weights holds; null where it holds none. */
  readonly tokenizerInside?: () => Promise<TokenizerFiles | null>;
  /** The config is inferred from the tensors of a file. */
  readonly inferred?: true;
  /** Index of the weights; reads the headers on the first call only. @throws FileError */
  readonly weights: () => Promise<WeightIndex>;
}

/** Parsed files of a tokenizer: vocab and merges, or a SentencePiece model, in old folders, tokenizer.json in new ones. */
export interface TokenizerFiles {
  /** Used in messages. */
  readonly folder: string;
  readonly tokenizer: unknown;
  readonly vocab: unknown;
  readonly merges: string | undefined;
  readonly config: unknown;
  readonly specialTokens: unknown;
  readonly addedTokens: unknown;
  /** Content of spiece.model, where there is no tokenizer.json. */
  readonly sentencePiece?: Uint8Array;
}

export interface ConfigSource {
  readonly file: string;
  readonly config: Readonly<Record<string, unknown>>;
}

export interface Checkpoint {
  readonly path: string;
  /** Class of the pipeline. */
  readonly className: string;
  /** Content of model_index.json; derived from the tensors for a single-file checkpoint. */
  readonly index: Readonly<Record<string, unknown>>;
  /** Description of the model, and the evidence for it. */
  readonly recognised: { readonly about: string; readonly because: readonly string[] };
  /** Components that were skipped and values that were assumed. */
  readonly notes: readonly string[];
  readonly family: Family;
  readonly components: ReadonlyMap<string, Component>;
  readonly scheduler: ConfigSource | null;
  readonly tokenizers: ReadonlyMap<string, TokenizerFiles>;
}
