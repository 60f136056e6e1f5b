/** What a checkpoint holds, whatever it lies in: its networks, each with config and weights, its tokenizers, and how it was trained. */
import type { Family } from "../families/index.js";
import type { WeightIndex } from "../tensor/index.js";

export interface Component {
  readonly name: string;
  readonly className: string;
  readonly configFile: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tokenizer: TokenizerFiles | null;
  /** Headers of the weights, read once. @throws FileError */
  readonly weights: () => Promise<WeightIndex>;
}

/** The files of a tokenizer, parsed; old folders have vocab and merges, new ones tokenizer.json. */
export interface TokenizerFiles {
  /** For messages. */
  readonly folder: string;
  readonly tokenizer: unknown;
  readonly vocab: unknown;
  readonly merges: string | undefined;
  readonly config: unknown;
  readonly specialTokens: unknown;
  readonly addedTokens: unknown;
}

export interface ConfigSource {
  readonly file: string;
  readonly config: Readonly<Record<string, unknown>>;
}

export interface Checkpoint {
  readonly path: string;
  /** The pipeline's class. */
  readonly className: string;
  /** All of model_index.json. Of a checkpoint in one file: what it would say. */
  readonly index: Readonly<Record<string, unknown>>;
  /** What it is and what tells. */
  readonly recognised: { readonly about: string; readonly because: readonly string[] };
  /** What was left out or made up. */
  readonly notes: readonly string[];
  readonly family: Family;
  readonly components: ReadonlyMap<string, Component>;
  readonly scheduler: ConfigSource | null;
  readonly tokenizers: ReadonlyMap<string, TokenizerFiles>;
}
