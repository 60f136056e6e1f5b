/** A training state as the tensors and metadata of one file, and back. */
import { z } from "zod";
import { FileError } from "../errors.js";
import type { OptimizerState, Tensors } from "../optim/index.js";
import type { FloatTensor } from "../tensor/index.js";
import type { TrainingState } from "./run.js";

/** Content of a checkpoint. Numbers are in the metadata as JSON, which keeps doubles to the bit. */
export interface CheckpointContent {
  readonly tensors: Readonly<Record<string, FloatTensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

const SEPARATOR = "/";
const PARAMETERS = "parameters";
/** Beginning of the kinds that an objective keeps. */
const KEPT = "kept ";

/** Tensors by "parameters/NAME", "KIND/NAME" of the optimiser and "kept KIND/NAME". */
export function checkpointOf({ update, parameters, optimizer, kept }: TrainingState): CheckpointContent {
  const named = (kind: string, tensors: Tensors) =>
    Object.entries(tensors).map(([name, value]) => [`${kind}${SEPARATOR}${name}`, value] as const);
  const kinds = (tensors: OptimizerState["tensors"], prefix = "") =>
    Object.entries(tensors).flatMap(([kind, own]) => named(`${prefix}${kind}`, own));
  return {
    tensors: Object.fromEntries([
      ...named(PARAMETERS, parameters),
      ...kinds(optimizer.tensors),
      ...kinds(kept.tensors, KEPT),
    ]),
    metadata: {
      update: String(update),
      numbers: JSON.stringify(optimizer.numbers),
      kept: JSON.stringify(kept.numbers),
    },
  };
}

/** @throws FileError for a file that is no checkpoint of a training run */
export function readCheckpoint(file: string, { tensors, metadata }: CheckpointContent): TrainingState {
  const kinds: Record<string, Record<string, FloatTensor>> = {};
  for (const [key, value] of Object.entries(tensors)) {
    const at = key.indexOf(SEPARATOR);
    const kind = key.slice(0, at);
    kinds[kind] = { ...kinds[kind], [key.slice(at + 1)]: value };
  }
  const { [PARAMETERS]: parameters, ...others } = kinds;
  const update = Number(metadata["update"]);
  const [numbers, keptNumbers] = [numbersOf(metadata["numbers"]), numbersOf(metadata["kept"] ?? "{}")];
  if (!parameters || !Number.isSafeInteger(update) || !numbers || !keptNumbers)
    throw new FileError(file, "is no checkpoint of a training run; remove it, or choose another --out");
  const own = Object.entries(others).filter(([kind]) => !kind.startsWith(KEPT));
  const kept = Object.entries(others).flatMap(([kind, tensors]) =>
    kind.startsWith(KEPT) ? [[kind.slice(KEPT.length), tensors] as const] : [],
  );
  return {
    ...{ update, parameters },
    optimizer: { numbers, tensors: Object.fromEntries(own) },
    kept: { numbers: keptNumbers, tensors: Object.fromEntries(kept) },
  };
}

function numbersOf(text = "null"): Record<string, number> | null {
  return z.record(z.string(), z.number()).safeParse(JSON.parse(text)).data ?? null;
}
