/** Finds the state dict in the content of a PyTorch file: trainers store it in dictionaries of their own, beside other things. */
import { FileError } from "../errors.js";
import type { Pickled, TensorView } from "./pickle.js";

/** Keys under which trainers store the state dict, in order of precedence. */
const WRAPPERS = ["state_dict", "model", "module", "teacher", "string_to_param"];
/** Most dictionaries around a state dict. */
const DEPTH = 4;

type Dictionary = Map<Pickled, Pickled>;

/** A dictionary with tensors, and the keys that lead to it. */
interface Found {
  readonly keys: readonly string[];
  readonly tensors: Dictionary;
}

export const isTensor = (v: Pickled): v is TensorView =>
  typeof v === "object" && v !== null && "is" in v && v.is === "tensor";

/**
 * The state dict: under one of the usual keys, else the content itself where it has tensors, else the only dictionary that has some.
 * @throws FileError naming the dictionaries where several have tensors, and a class in the place of a weight
 */
export function stateDict(content: Pickled, file: string): Dictionary {
  if (!(content instanceof Map)) throw new FileError(file, "holds something else than a dictionary of tensors");
  const all = [...dictionariesIn(content, [], new Set())];
  // Trainers store single numbers as tensors, too.
  const withMatrices = all.filter(({ tensors }) =>
    [...tensors.values()].some((value) => isTensor(value) && value.shape.length > 0),
  );
  const found = withMatrices.length > 0 ? withMatrices : all;
  const chosen = chosenOf(found);
  if (chosen) return checked(chosen.tensors, file);
  if (found.length === 0) return content;
  const names = found.map(({ keys }) => keys.join(".")).slice(0, 4);
  const [first = ""] = names;
  const path = first
    .split(".")
    .map((key) => `[${JSON.stringify(key)}]`)
    .join("");
  throw new FileError(
    file,
    `its tensors lie under ${names.join(" and ")}; save one of them alone: torch.save(torch.load(FILE)${path}, NEW)`,
  );
}

function chosenOf(found: readonly Found[]): Found | undefined {
  if (found.length === 1) return found[0];
  for (const wrapper of WRAPPERS) {
    const usual = found.filter(({ keys }) => keys.at(-1) === wrapper);
    if (usual.length === 1) return usual[0];
  }
  return found.find(({ keys }) => keys.length === 0);
}

/** Dictionaries that have tensors by name. Those of optimisers are below numbers and are not followed. */
function* dictionariesIn(content: Dictionary, keys: readonly string[], seen: Set<Dictionary>): Generator<Found> {
  if (seen.has(content)) return;
  seen.add(content);
  const entries = [...content].filter((entry): entry is [string, Pickled] => typeof entry[0] === "string");
  if (entries.some(([, value]) => isTensor(value))) yield { keys, tensors: content };
  if (keys.length === DEPTH) return;
  for (const [key, value] of entries) {
    if (value instanceof Map) yield* dictionariesIn(value, [...keys, key], seen);
  }
}

/** @throws FileError for a class or function in the place of a weight */
function checked(tensors: Dictionary, file: string): Dictionary {
  for (const [name, value] of tensors) {
    if (typeof name !== "string" || !/\.(weight|bias)$/.test(name) || isTensor(value)) continue;
    throw new FileError(file, `${name} is no tensor; nothing was run`);
  }
  return tensors;
}
