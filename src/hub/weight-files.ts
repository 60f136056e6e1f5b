/** Selects one set of weight files of a network: safetensors before pickles, half precision before full. */

/** Precision to download where a repository has several. Cached files of either precision are used. */
export const VARIANTS = ["fp16", "fp32"] as const;
export type Variant = (typeof VARIANTS)[number];

/** Complete weights of a network: one file, or an index with its shards. Names are relative to the folder. */
export interface WeightSet {
  readonly variant: Variant;
  readonly safetensors: boolean;
  /** The file that the loader opens. */
  readonly entry: string;
  readonly names: readonly string[];
}

/** File names of diffusers and transformers; transformers has another one for pickles. */
const STEMS = [
  { stem: "diffusion_pytorch_model", torch: "diffusion_pytorch_model" },
  { stem: "model", torch: "pytorch_model" },
] as const;

/** Every complete set among the names of a folder, in the search order of the loader (src/checkpoint/weights.ts). */
export function weightSets(names: readonly string[]): WeightSet[] {
  return STEMS.flatMap(({ stem, torch }) =>
    (["fp32", "fp16"] as const).flatMap((variant) =>
      [
        { stem, ending: "safetensors" },
        { stem: torch, ending: "bin" },
      ].flatMap((form) => setsOf(names, form.stem, form.ending, variant)),
    ),
  );
}

function setsOf(names: readonly string[], stem: string, ending: string, variant: Variant): WeightSet[] {
  const half = variant === "fp16" ? ".fp16" : "";
  const safetensors = ending === "safetensors";
  const whole = `${stem}${half}.${ending}`;
  const one = names.includes(whole) ? [{ variant, safetensors, entry: whole, names: [whole] }] : [];
  const indices = [...new Set([`${stem}.${ending}.index${half}.json`, `${stem}${half}.${ending}.index.json`])];
  const parts = partsOf(names, stem, ending, half);
  const many = indices
    .filter((index) => names.includes(index) && parts !== null)
    .map((entry) => ({ variant, safetensors, entry, names: [entry, ...(parts ?? [])] }));
  return [...one, ...many];
}

/** Shards such as `model-00001-of-00002.fp16.safetensors` or `model.fp16-00001-of-00002.safetensors`; null when one is missing. */
function partsOf(names: readonly string[], stem: string, ending: string, half: string): string[] | null {
  const found = names.flatMap((name) => {
    if (!name.startsWith(stem) || !name.endsWith(`.${ending}`)) return [];
    const between = name.slice(stem.length, -ending.length - 1);
    const [, before = "", of = "", after = ""] = /^(\.fp16)?-\d{5}-of-(\d{5})(\.fp16)?$/.exec(between) ?? [];
    return of !== "" && (before || after) === half ? [{ name, of: Number(of) }] : [];
  });
  return found.length > 0 && found.length === found[0]?.of ? found.map((f) => f.name).sort() : null;
}

/**
 * The set to download. The loader opens the first set that it finds, so a cached one decides, unless full precision is requested and
 * only half is cached.
 * @param there true for a file in the cache
 */
export function chosenSet(
  sets: readonly WeightSet[],
  variant: Variant,
  there: (name: string) => boolean,
): WeightSet | null {
  const found = sets.find((set) => there(set.entry));
  if (found && (variant === "fp16" || found.variant === "fp32")) return found;
  const rank = (set: WeightSet) => (set.safetensors ? 0 : 2) + (set.variant === variant ? 0 : 1);
  // The sort is stable: a single file stays before shards.
  return [...sets].sort((a, b) => rank(a) - rank(b))[0] ?? null;
}
