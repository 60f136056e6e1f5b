/** Models that A1111's parameters name by file name and hash, found in the model folders of a run. Reads and hashes files. */
import path from "node:path";
import { FileError } from "../errors.js";
import { hashFile, isFolder } from "../files/index.js";
import { type Category, type FolderModel, listModels } from "../lookup/index.js";
import type { NamedModel, Recorded } from "./recorded.js";

const CATEGORIES_OF: { readonly [F in NamedModel["field"]]: readonly Category[] } = {
  base: ["checkpoint", "unet", "diffusers"],
  decoder: ["autoencoder"],
};
const TITLES: { readonly [F in NamedModel["field"]]: string } = { base: "model", decoder: "VAE" };

/** "model dreamshaper_8 (879db523c3)". */
const titleOf = ({ field, name, hash }: NamedModel): string =>
  `${TITLES[field]} ${name ?? "without a name"}${hash === null ? "" : ` (${hash})`}`;

const stemOf = (name: string): string =>
  path.posix.basename(name).replace(/\.(safetensors|sft|gguf|ckpt|pt|pth|bin)$/i, "");

/**
 * A record with the models that its A1111 parameters name, where no option names others: of those in the model folders with the name, the
 * first with the recorded hash, else the first; without one with the name, the one with the hash. `unread` says what was found.
 * @throws FileError when the model folders have no such model
 */
export async function withNamedModels(
  recorded: Recorded,
  given: Recorded["models"],
  signal: AbortSignal,
): Promise<Recorded> {
  const { modelFolders = [] } = given;
  const models: { base?: string; decoder?: string } = {};
  const said: string[] = [];
  for (const named of recorded.named) {
    const { field } = named;
    if (given[field] !== undefined || given.pair !== undefined)
      said.push(`the given models replace its ${titleOf(named)}`);
    else if (modelFolders.length === 0) {
      if (field === "decoder") said.push(`its ${titleOf(named)} is not looked up: --a1111 or --comfy names no folder`);
    } else {
      const found = await find(named, await listModels(modelFolders, CATEGORIES_OF[field]), signal);
      const nowhere = `its ${titleOf(named)} is not in ${modelFolders.map((folder) => folder.path).join(", ")}`;
      if (!found && field === "base") throw new FileError(recorded.file, `${nowhere}; name one with --base or --pair`);
      if (found) models[field] = found.path;
      said.push(found ? `its ${titleOf(named)} is ${found.path}${found.about}` : `${nowhere}: the model's own is used`);
    }
  }
  return { ...recorded, models: { ...recorded.models, ...models }, unread: [...said, ...recorded.unread] };
}

interface Found {
  readonly path: string;
  /** What its hash says, as the end of a sentence. */
  readonly about: string;
}

async function find(
  { name, hash }: NamedModel,
  models: readonly FolderModel[],
  signal: AbortSignal,
): Promise<Found | null> {
  const wanted = name === null ? null : stemOf(name).toLowerCase();
  const byName = models.filter((model) => stemOf(model.name).toLowerCase() === wanted);
  const [first] = byName;
  if (first && hash === null) return { path: first.path, about: "; no hash is recorded" };
  if (hash === null) return null;
  let other: string | undefined;
  for (const model of first ? byName : models) {
    if (isFolder(model.path)) continue;
    const own = (await hashFile(model.path, 0, signal)).slice(0, hash.length);
    if (own === hash) return { path: model.path, about: ", with that hash" };
    other ??= own;
  }
  return first
    ? { path: first.path, about: other ? `, whose hash is ${other}` : ", a folder, which has no hash" }
    : null;
}
