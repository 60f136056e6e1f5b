/** Which of the weights that a folder holds of one network are taken: safetensors before pickles, half precision before full. */

/** The precision that is fetched where a repository has both; what is there already is used either way. */
export const VARIANTS = ["fp16", "fp32"] as const;
export type Variant = (typeof VARIANTS)[number];

/** One way to have all weights of a network: a file, or an index with its parts. Names within the folder. */
export interface WeightSet {
  readonly variant: Variant;
  readonly safetensors: boolean;
  /** What the loader looks for. */
  readonly entry: string;
  readonly names: readonly string[];
}

/** What diffusers and transformers call them; transformers has another name for pickles. */
const STEMS = [
  { stem: "diffusion_pytorch_model", torch: "diffusion_pytorch_model" },
  { stem: "model", torch: "pytorch_model" },
] as const;

/** Every whole set among the names of a folder, in the order in which the loader looks for them (src/checkpoint/weights.ts). */
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

/** Parts such as `model-00001-of-00002.fp16.safetensors` or `model.fp16-00001-of-00002.safetensors`; null unless all are there. */
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
 * The set to take. The loader opens the first that it finds, so what lies in the snapshot already decides, unless full precision is
 * asked for and only half is there.
 * @param there whether a file is in the cache
 */
export function chosenSet(
  sets: readonly WeightSet[],
  variant: Variant,
  there: (name: string) => boolean,
): WeightSet | null {
  const found = sets.find((set) => there(set.entry));
  if (found && (variant === "fp16" || found.variant === "fp32")) return found;
  const rank = (set: WeightSet) => (set.safetensors ? 0 : 2) + (set.variant === variant ? 0 : 1);
  // A stable sort: one file stays before several.
  return [...sets].sort((a, b) => rank(a) - rank(b))[0] ?? null;
}
