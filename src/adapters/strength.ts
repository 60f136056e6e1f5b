/**
 * Strength of PEFT's adapters, which stands in a config and not in a tensor: adapter_config.json beside the file, or the same fields in
 * its metadata, where diffusers writes them for each part. A config that asks for something unknown is refused, since it may change
 * the strength.
 */
import { z } from "zod";
import { FileError } from "../errors.js";
import type { Layer, Part } from "./names.js";

/** A parsed config, and its file for messages. */
export interface StrengthConfig {
  readonly file: string;
  readonly fields: unknown;
}

/** Alpha of a layer: strength = alpha / rank. Null where the config has none. @throws FileError when the rank is not the config's */
export type Alphas = (layer: Pick<Layer, "part" | "name">, rank: number | undefined) => number | null;

/** Values by pattern of layer names. */
const patterns = z.record(z.string(), z.number()).nullish();

/** Fields of PEFT's LoraConfig that determine the strength. */
const strengthSchema = z.object({
  peft_type: z.string().nullish(),
  r: z.int().positive().nullish(),
  lora_alpha: z.number().nullish(),
  use_rslora: z.boolean().nullish(),
  rank_pattern: patterns,
  alpha_pattern: patterns,
  init_lora_weights: z.union([z.boolean(), z.string()]).nullish(),
});

/** Strength of the layers of one part. */
interface Strength {
  readonly rank: number | null;
  readonly alpha: number | null;
  /** alpha / √rank instead of alpha / rank (Kalajdzievski 2023). */
  readonly stabilised: boolean;
  /** Ranks and alphas of layers whose names match. */
  readonly ranks: Patterns;
  readonly alphas: Patterns;
}
type Patterns = readonly (readonly [RegExp, number])[];

/** Fields without an effect on a trained adapter, or whose effect is in the tensors. Any other must be unset. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  "auto_mapping",
  "base_model_name_or_path",
  "bias",
  "ensure_weight_tying",
  "eva_config",
  "exclude_modules",
  "fan_in_fan_out",
  "inference_mode",
  "layers_pattern",
  "layers_to_transform",
  "loftq_config",
  "lora_dropout",
  "megatron_config",
  "megatron_core",
  "modules_to_save",
  "peft_version",
  "qalora_group_size",
  "revision",
  "runtime_config",
  "target_modules",
  "target_parameters",
  "task_type",
  "use_dora",
]);

/** Initialisations that leave the base's weights as they are. Others (PiSSA, OLoRA, LoftQ, CorDA) change them before training. */
const INITIALISATIONS: readonly unknown[] = [undefined, null, true, false, "gaussian", "eva", "orthogonal"];

/**
 * Alphas of an adapter from PEFT's config, else from `lora_adapter_metadata` in the file's metadata.
 * @throws FileError when one of them cannot be read, or asks for something unknown
 */
export function alphasIn(file: string, metadata: Readonly<Record<string, string>>, config?: StrengthConfig): Alphas {
  if (config) {
    const strength = parse(config.file, "", config.fields);
    if (strength.alpha === null || strength.rank === null) {
      throw new FileError(config.file, "has no lora_alpha and r, which determine the adapter's strength");
    }
    return (layer, rank) => alphaOf(config.file, strength, layer, rank);
  }
  const written = metadata[METADATA];
  if (written === undefined) return () => null;
  const fields = z.record(z.string(), z.unknown()).safeParse(parseJson(file, written));
  if (!fields.success) throw new FileError(file, `its metadata ${METADATA} is no JSON object`);
  const own = new Map<Part, Strength>();
  return (layer, rank) => {
    const strength = own.get(layer.part) ?? parse(file, `${METADATA}: `, fieldsOf(fields.data, layer.part));
    own.set(layer.part, strength);
    return alphaOf(file, strength, layer, rank);
  };
}

const METADATA = "lora_adapter_metadata";

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FileError(file, `its metadata ${METADATA} is not JSON`, { cause });
  }
}

/** Fields of one part: those with its prefix, and those without any. */
function fieldsOf(fields: Readonly<Record<string, unknown>>, part: Part): Record<string, unknown> {
  const entries = Object.entries(fields);
  const named = (prefix: string) =>
    entries.flatMap(([key, value]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), value] as const] : []));
  const prefixes = part === "unet" ? ["unet.", "transformer."] : [`${part}.`];
  return Object.fromEntries([...entries.filter(([key]) => !key.includes(".")), ...prefixes.flatMap(named)]);
}

/** @throws FileError for a field that cannot be read, or is set and unknown */
function parse(file: string, where: string, fields: unknown): Strength {
  const parsed = strengthSchema.safeParse(fields);
  const [issue] = parsed.error?.issues ?? [];
  if (!parsed.success) throw new FileError(file, `${where}${issue?.path.join(".") || "it"}: ${issue?.message}`);
  const { peft_type: kind, init_lora_weights: initialisation, ...strength } = parsed.data;
  if (kind !== undefined && kind !== null && kind !== "LORA") {
    throw new FileError(file, `${where}peft_type is ${kind}; of PEFT's kinds, LORA is supported`);
  }
  if (!INITIALISATIONS.includes(initialisation)) {
    throw new FileError(
      file,
      `${where}init_lora_weights is ${JSON.stringify(initialisation)}, which changes the base's weights before training; save the adapter with path_initial_model_for_weight_conversion`,
    );
  }
  for (const [key, value] of Object.entries(fields ?? {})) {
    if (key in strengthSchema.shape || WITHOUT_EFFECT.has(key) || isUnset(value)) continue;
    throw new FileError(file, `${where}${key} = ${JSON.stringify(value)} is not known, and may change the strength`);
  }
  return {
    rank: strength.r ?? null,
    alpha: strength.lora_alpha ?? null,
    stabilised: strength.use_rslora ?? false,
    ranks: patternsOf(file, strength.rank_pattern),
    alphas: patternsOf(file, strength.alpha_pattern),
  };
}

const isUnset = (value: unknown): boolean =>
  value === null || value === false || (typeof value === "object" && Object.keys(value).length === 0);

/** Alpha of a layer: its own or that of all; with stabilised ranks times √rank, so that the strength stays alpha / rank. */
function alphaOf(
  file: string,
  strength: Strength,
  layer: Parameters<Alphas>[0],
  rank: number | undefined,
): number | null {
  const alpha = matching(strength.alphas, layer) ?? strength.alpha;
  const expected = matching(strength.ranks, layer) ?? strength.rank;
  if (expected !== null && rank !== undefined && expected !== rank) {
    throw new FileError(file, `${layer.name} has rank ${expected} by the config and ${rank} in the tensors`);
  }
  return alpha !== null && strength.stabilised && rank !== undefined ? alpha * Math.sqrt(rank) : alpha;
}

/** Value of the first pattern that matches a layer's name. */
function matching(all: Patterns, { part, name }: Parameters<Alphas>[0]): number | undefined {
  const bare = name.replace(/^text_model\./, "");
  const names = part === "unet" ? [name] : [`text_model.${bare}`, bare];
  return all.find(([pattern]) => names.some((n) => pattern.test(n)))?.[1];
}

const patternsOf = (file: string, all: Readonly<Record<string, number>> | null | undefined): Patterns =>
  Object.entries(all ?? {}).map(([pattern, value]) => [endsWith(file, pattern), value] as const);

/** Most repetitions in a pattern: the time to match grows with the name's length to this power. */
const MOST_REPETITIONS = 3;

/**
 * Matches the end of a name, from its start or a dot on, as PEFT reads patterns.
 * @throws FileError for an invalid pattern, and for one that could take long to match
 */
function endsWith(file: string, pattern: string): RegExp {
  const repetitions = pattern.match(/(?<!\\)[*+{?]/g)?.length ?? 0;
  if (repetitions > MOST_REPETITIONS || /\)[*+{?]|\\[1-9]/.test(pattern)) {
    throw new FileError(
      file,
      `the pattern ${JSON.stringify(pattern)} is not supported: it repeats groups, or too often`,
    );
  }
  try {
    return new RegExp(`^(?:.*\\.)?(?:${pattern})$`);
  } catch (cause) {
    throw new FileError(file, `the pattern ${JSON.stringify(pattern)} is no regular expression`, { cause });
  }
}
