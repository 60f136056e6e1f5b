/** A training state as the tensors and metadata of one file, and back. */
import { FileError } from "../errors.js";
import type { Tensors } from "../optim/index.js";
import type { FloatTensor } from "../tensor/index.js";
import type { TrainingState } from "./run.js";

/** Content of a checkpoint. Numbers are in the metadata as JSON, which keeps doubles to the bit. */
export interface CheckpointContent {
  readonly tensors: Readonly<Record<string, FloatTensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

const SEPARATOR = "/";
const PARAMETERS = "parameters";

/** Tensors by "parameters/NAME" and "KIND/NAME". */
export function checkpointOf({ update, parameters, optimizer }: TrainingState): CheckpointContent {
  const named = (kind: string, tensors: Tensors) =>
    Object.entries(tensors).map(([name, value]) => [`${kind}${SEPARATOR}${name}`, value] as const);
  const kinds = Object.entries(optimizer.tensors).flatMap(([kind, tensors]) => named(kind, tensors));
  return {
    tensors: Object.fromEntries([...named(PARAMETERS, parameters), ...kinds]),
    metadata: { update: String(update), numbers: JSON.stringify(optimizer.numbers) },
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
  const numbers: unknown = JSON.parse(metadata["numbers"] ?? "null");
  const isState = typeof numbers === "object" && numbers !== null && Object.values(numbers).every(Number.isFinite);
  if (!parameters || !Number.isSafeInteger(update) || !isState)
    throw new FileError(file, "is no checkpoint of a training run; remove it, or choose another --out");
  return { update, parameters, optimizer: { numbers: { ...numbers }, tensors: others } };
}
