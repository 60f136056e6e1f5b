/** Lists the models of a model folder with a description of each, from the headers of the files. */
import { statSync } from "node:fs";
import { readRecognised } from "../checkpoint/index.js";
import { openCheckpoint, openFile } from "../checkpoint/node/index.js";
import { VariegateError } from "../errors.js";
import { type Category, listModels, type ModelFolder } from "../lookup/index.js";
import { count, storedAs } from "../tensor/index.js";
import { problemIn } from "./problem.js";

/** Model of a model folder. */
export interface ListedModel {
  readonly category: Category;
  /** Name that `--base`, `--lora` and other options accept. */
  readonly name: string;
  readonly path: string;
  /** Size on disk; null for a folder. */
  readonly bytes: number | null;
  readonly parameters: number | null;
  readonly dtypes: readonly string[];
  readonly about: string;
  /** The model is supported. */
  readonly runs: boolean;
}

/** Describes every model of the model folders, from headers only. @throws FileError when a model folder is invalid */
export async function* inspectModelFolders(
  modelFolders: readonly ModelFolder[],
  progress: (done: number, total: number) => void = () => {},
): AsyncGenerator<ListedModel> {
  const all = await listModels(modelFolders);
  for (const [i, { category, name, path }] of all.entries()) {
    progress(i, all.length);
    yield { category, name, path, ...(await describe(path)) };
  }
}

type Description = Omit<ListedModel, "category" | "name" | "path">;

async function describe(path: string): Promise<Description> {
  const unknown = { bytes: null, parameters: null, dtypes: [] };
  try {
    const info = statSync(path);
    if (info.isDirectory()) {
      const { recognised } = await openCheckpoint(path);
      return { ...unknown, about: `${recognised.about}, a diffusers folder`, runs: true };
    }
    const { index, recognised } = await readRecognised(await openFile(path));
    const weights = [...index.weights.values()];
    return {
      bytes: info.size,
      parameters: weights.reduce((n, w) => n + count(w.shape), 0),
      dtypes: [...new Set(weights.map(storedAs))].sort((a, b) => (a < b ? -1 : 1)),
      about: recognised.about,
      runs: recognised.kind !== "other" && recognised.kind !== "unknown",
    };
  } catch (error) {
    if (!(error instanceof VariegateError)) throw error;
    return { ...unknown, about: problemIn(path, error), runs: false };
  }
}
