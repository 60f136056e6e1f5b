/** Describes an adapter file without a model: kinds, ranks, alphas and parts from its keys, and the family it was made for. */
import { type Family, recogniseAdapter } from "../families/index.js";
import type { FloatTensor } from "../tensor/index.js";
import { parseKey, type Role, unsupportedKind } from "./keys.js";
import { type Part, partOf } from "./names.js";
import { alphasIn, type StrengthConfig } from "./strength.js";

/** What an adapter file holds. */
export interface AdapterDescription {
  readonly file: string;
  /** "an adapter for Stable Diffusion XL", also for families that are not supported. */
  readonly about: string;
  /** Null for another family, and where the keys do not tell. */
  readonly family: Family | null;
  readonly dialects: readonly string[];
  /** Number of changes by kind. */
  readonly kinds: Readonly<Record<string, number>>;
  /** Smallest and largest rank; null when no kind has one. */
  readonly ranks: readonly [number, number] | null;
  /** Distinct alphas; null for layers without one. */
  readonly alphas: readonly (number | null)[];
  /** Number of changed layers in each part of a model. */
  readonly layers: Readonly<Partial<Record<Part, number>>>;
  readonly parameters: number;
}

/** Roles whose tensor has the rank as the size of its first axis. */
const RANKED: readonly Role[] = ["down", "hada_w1_b", "lokr_w2_b", "lokr_w1_b"];

/** Kinds by a role that only they have. The first match counts. */
const KINDS: readonly (readonly [Role, string])[] = [
  ["hada_w1_a", "LoHa"],
  ["lokr_w1", "LoKr"],
  ["lokr_w1_a", "LoKr"],
  ["dora_scale", "DoRA"],
  ["magnitude_vector", "DoRA"],
  ["mid", "LoCon with a Tucker core"],
  ["down", "LoRA"],
  ["weight", "replacement"],
  ["diff", "difference"],
  ["diff_b", "difference"],
];

/**
 * Describes an adapter by its keys alone.
 * @returns null when no key has an adapter's suffix
 * @throws FileError for a config or metadata that cannot be read
 */
export function describeAdapter(
  file: string,
  tensors: ReadonlyMap<string, FloatTensor>,
  { metadata = {}, config }: { readonly metadata?: Readonly<Record<string, string>>; readonly config?: StrengthConfig },
): AdapterDescription | null {
  const recognised = recogniseAdapter(new Map([...tensors].map(([key, { shape }]) => [key, shape])));
  if (recognised === null) return null;
  const stems = new Map<string, Map<Role, FloatTensor>>();
  const dialects = new Set<string>();
  const kinds: Record<string, number> = {};
  for (const [key, tensor] of tensors) {
    const parsed = parseKey(key);
    if (parsed) {
      dialects.add(parsed.dialect);
      stems.set(parsed.stem, (stems.get(parsed.stem) ?? new Map<Role, FloatTensor>()).set(parsed.role, tensor));
    } else addTo(kinds, unsupportedKind(key));
  }
  const alphaOf = alphasIn(file, metadata, config);
  const layers: Partial<Record<Part, number>> = {};
  const alphas = new Set<number | null>();
  const ranks: number[] = [];
  for (const [stem, roles] of stems) {
    const part = partOf(stem);
    const rank = RANKED.flatMap((role) => roles.get(role)?.shape[0] ?? [])[0];
    if (rank !== undefined) {
      ranks.push(rank);
      alphas.add(roles.get("alpha")?.data[0] ?? alphaOf({ part, name: stem }, rank));
    }
    layers[part] = (layers[part] ?? 0) + 1;
    addTo(kinds, KINDS.find(([role]) => roles.has(role))?.[1] ?? null);
  }
  return {
    file,
    about: recognised.about,
    family: recognised.kind === "other" ? null : recognised.family,
    dialects: [...dialects],
    kinds,
    ranks: ranks.length > 0 ? [Math.min(...ranks), Math.max(...ranks)] : null,
    alphas: [...alphas],
    layers,
    parameters: [...tensors].reduce((n, [key, { data }]) => (key.endsWith(".alpha") ? n : n + data.length), 0),
  };
}

function addTo(counts: Record<string, number>, name: string | null): void {
  if (name !== null) counts[name] = (counts[name] ?? 0) + 1;
}
