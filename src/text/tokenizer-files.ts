/** The files of a byte-level BPE tokenizer: vocabulary, merges, and the tokens that the files of several ages declare. */
import { z } from "zod";
import type { TokenizerFiles } from "../checkpoint/index.js";
import { FileError } from "../errors.js";
import type { AddedToken } from "./tokenizer.js";

const NAMED = ["bos_token", "eos_token", "unk_token", "pad_token"] as const;

/** A token with its flags. The tokenizers library does not implement `single_word`, and CLIP's files do not set it. */
const tokenSchema = z.object({
  content: z.string(),
  normalized: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  special: z.boolean().default(false),
  single_word: z.literal(false).default(false),
});
/** Settings with tokens as strings or objects of this schema. */
const settingsWith = (token: z.ZodType<z.output<typeof tokenSchema>>) => {
  const named = z.union([z.string(), token]).nullish();
  return z.object({
    model_max_length: z.number().nullish(),
    bos_token: named,
    eos_token: named,
    unk_token: named,
    pad_token: named,
  });
};
const settingsSchema = settingsWith(tokenSchema);
/** Tokens in special_tokens_map.json are special, regardless of their flag. */
const mapSchema = settingsWith(tokenSchema.transform((token) => ({ ...token, special: true })));
const configSchema = settingsSchema.extend({
  added_tokens_decoder: z.record(z.coerce.number(), tokenSchema).nullish(),
});
/** Custom checks: zod's record and array take 0.4 s for CLIP's 49,408 tokens. */
const vocabularySchema = z.custom<Readonly<Record<string, number>>>(
  (json) =>
    typeof json === "object" && json !== null && !Array.isArray(json) && Object.values(json).every(Number.isInteger),
  "expected an object of tokens and integer ids",
);
const mergesSchema = z.custom<readonly (string | readonly string[])[]>(
  (json) => Array.isArray(json) && json.every((pair) => typeof pair === "string" || Array.isArray(pair)),
  "expected a list of merges",
);
const tokenizerSchema = z.object({
  model: z.object({ vocab: vocabularySchema, merges: mergesSchema }),
  added_tokens: z.array(tokenSchema.extend({ id: z.int() })).default([]),
});

type TokenFlags = z.output<typeof tokenSchema>;
type Settings = z.output<typeof settingsSchema>;

/** What the files of a tokenizer say. */
export interface TokenizerContent {
  readonly vocabulary: Readonly<Record<string, number>>;
  readonly merges: readonly unknown[];
  readonly added: readonly AddedToken[];
  /** Longest input, where the files state it. */
  readonly maxLength: number | null;
  /** A special token; null where neither the files nor the class has one. */
  readonly contentOf: (key: NamedKey) => string | null;
  /** Id of a special token; 0 where there is none. */
  readonly idOf: (key: NamedKey) => number;
}

/** Special tokens in settings and their defaults, in the order in which transformers adds them. */
export type SpecialTokens = Readonly<Record<NamedKey, string | null>>;
type NamedKey = (typeof NAMED)[number];

/**
 * Reads the files of a folder.
 * @param defaults special tokens of the tokenizer's class
 * @throws FileError when a file is invalid, or a token is missing from the vocabulary
 */
export function readTokenizer(source: TokenizerFiles, defaults: SpecialTokens): TokenizerContent {
  const { settings, table } = declaredTokens(source);
  const { vocabulary, merges } = modelOf(source);
  const contentOf = (key: NamedKey): string | null => {
    const token = settings[key] ?? defaults[key];
    return token === null || typeof token === "string" ? token : token.content;
  };
  const added = [...flagsByContent(settings, table, defaults)].map(([content, { id, ...flags }]): AddedToken => {
    const known = vocabulary[content] ?? id;
    if (known === undefined)
      throw new FileError(source.folder, `the vocabulary has no token ${JSON.stringify(content)}`);
    return { ...flags, content, id: known };
  });
  const idOf = (key: NamedKey): number => added.find((t) => t.content === contentOf(key))?.id ?? 0;
  return { vocabulary, merges, added, maxLength: settings.model_max_length ?? null, contentOf, idOf };
}

/** A token, with its id where a file declares one. */
type Declared = TokenFlags & { readonly id?: number };

/**
 * Settings, and the tokens declared with an id. tokenizer_config.json is complete if it has `added_tokens_decoder`; otherwise
 * special_tokens_map.json overrides its settings, and tokens come from added_tokens.json and tokenizer.json.
 */
function declaredTokens(source: TokenizerFiles): { settings: Settings; table: readonly Declared[] } {
  const config = parsed(source, "tokenizer_config.json", configSchema, source.config ?? {});
  if (config.added_tokens_decoder) {
    const table = Object.entries(config.added_tokens_decoder).map(([id, token]) => ({ ...token, id: Number(id) }));
    return { settings: config, table };
  }
  const map = parsed(source, "special_tokens_map.json", mapSchema, source.specialTokens ?? {});
  const settings = { ...config, ...map };
  const names = new Set(NAMED.map((key) => settings[key]).map((t) => (typeof t === "string" ? t : t?.content)));
  const older = parsed(source, "added_tokens.json", vocabularySchema, source.addedTokens ?? {});
  const fromOlder = Object.entries(older).map(([content, id]): Declared => {
    const special = names.has(content);
    return { ...tokenSchema.parse({ content, special, normalized: !special }), id };
  });
  const newer = source.tokenizer === undefined ? [] : tokenizerJson(source).added_tokens;
  return { settings, table: [...fromOlder, ...newer] };
}

/**
 * Flags of all added tokens by content. Tokens that occur in settings only are added in the order of the settings, each string and each set
 * of flags once; the last one with the same content wins.
 */
function flagsByContent(
  settings: Settings,
  table: readonly Declared[],
  defaults: SpecialTokens,
): ReadonlyMap<string, Declared> {
  const found = new Map(table.map((t) => [t.content, t]));
  const declared = new Set(found.keys());
  const seen = new Set<string>();
  for (const name of NAMED) {
    const token = settings[name] ?? defaults[name];
    if (token === null) continue;
    const flags = typeof token === "string" ? tokenSchema.parse({ content: token, special: true }) : token;
    const key = JSON.stringify(token);
    if (declared.has(flags.content) || seen.has(key)) continue;
    seen.add(key);
    found.set(flags.content, flags);
  }
  return found;
}

/** Vocabulary and merges, from tokenizer.json, or from vocab.json and merges.txt. */
function modelOf(source: TokenizerFiles): Pick<TokenizerContent, "vocabulary" | "merges"> {
  if (source.tokenizer !== undefined) {
    const { vocab, merges } = tokenizerJson(source).model;
    return { vocabulary: vocab, merges };
  }
  const lines = (source.merges ?? "").split("\n");
  return {
    vocabulary: parsed(source, "vocab.json", vocabularySchema, source.vocab),
    merges: lines.filter((line) => line.trim() !== "" && !line.startsWith("#version")),
  };
}

const tokenizerJson = (source: TokenizerFiles) => parsed(source, "tokenizer.json", tokenizerSchema, source.tokenizer);

function parsed<S extends z.ZodType>({ folder }: TokenizerFiles, file: string, schema: S, json: unknown): z.output<S> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new FileError(folder, `${file} is invalid at ${issue?.path.join(".") || "its root"}: ${issue?.message}`);
}
