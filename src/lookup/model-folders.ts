/** Model folders of ComfyUI and A1111: which subfolder holds which category of models, and models by name. */
import { existsSync, statSync } from "node:fs";
import { readdir, realpath } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { z } from "zod";
import { readText } from "../checkpoint/node/index.js";
import { codeOf, FileError, RequestError, reasonOf } from "../errors.js";
import { isFolder } from "../files/index.js";

/** Model folder of another program, as plain data of a request. */
export interface ModelFolder {
  readonly kind: "comfy" | "a1111";
  /** ComfyUI's folder, its models folder, or an extra_model_paths.yaml; A1111's folder or its models folder. */
  readonly path: string;
}

/** Categories of models, each with folders of its own. */
export const CATEGORIES = [
  "checkpoint",
  "unet",
  "text encoder",
  "autoencoder",
  "adapter",
  "textual inversion",
  "diffusers",
] as const;
export type Category = (typeof CATEGORIES)[number];

/** Model in a model folder. */
export interface FolderModel {
  readonly category: Category;
  /** Path below the folder of its category, with slashes. */
  readonly name: string;
  readonly path: string;
  /** Name of the folder of its category, such as loras. */
  readonly folder: string;
}

/** Folders of ComfyUI below models/, older names included. */
const COMFY: { readonly [S in Category]: readonly string[] } = {
  checkpoint: ["checkpoints"],
  unet: ["diffusion_models", "unet", "unet_gguf"],
  "text encoder": ["text_encoders", "clip", "clip_gguf"],
  autoencoder: ["vae", "vae_approx"],
  adapter: ["loras"],
  "textual inversion": ["embeddings"],
  diffusers: ["diffusers"],
};

/** Folders of A1111 and Forge, below the folder of the program. */
const A1111: { readonly [S in Category]: readonly string[] } = {
  checkpoint: ["models/Stable-diffusion"],
  unet: ["models/diffusion_models", "models/unet"],
  "text encoder": ["models/text_encoder"],
  autoencoder: ["models/VAE", "models/VAE-approx"],
  adapter: ["models/Lora", "models/LyCORIS"],
  "textual inversion": ["embeddings", "models/embeddings"],
  diffusers: ["models/diffusers"],
};

const ENDING = /\.(safetensors|sft|gguf|ckpt|pt|pth|bin)$/i;
/** Limit for a path that is no model folder but a whole disk. */
const MAX_FILES = 50_000;
const MAX_DEPTH = 8;

interface CategoryFolder {
  readonly category: Category;
  readonly folder: string;
}

/** The existing category folders, in order of precedence. @throws FileError when there is none */
async function categoryFolders({ kind, path: given }: ModelFolder): Promise<CategoryFolder[]> {
  if (!existsSync(given)) throw new FileError(given, `there is no such folder (expected ${NAMES[kind]})`);
  const root = path.resolve(given);
  const places =
    kind === "a1111" ? a1111Folders(root) : isFolder(root) ? await comfyFolders(root) : await yamlFolders(root);
  const found = places.filter(({ folder }) => isFolder(folder));
  if (found.length > 0) return found;
  throw new FileError(given, `is not a folder of ${NAMES[kind]}: it has none of ${EXPECTED[kind]}`);
}

const NAMES = { comfy: "ComfyUI", a1111: "A1111" } as const;
const EXPECTED = {
  comfy: "models/checkpoints, models/diffusion_models, models/loras, models/vae …",
  a1111: "models/Stable-diffusion, models/Lora, models/VAE …",
} as const;

const below = (root: string, folders: { readonly [S in Category]: readonly string[] }): CategoryFolder[] =>
  CATEGORIES.flatMap((category) => folders[category].map((folder) => ({ category, folder: path.join(root, folder) })));

/** Category folders of A1111, from its folder or its models folder. */
function a1111Folders(root: string): CategoryFolder[] {
  const inside = !isFolder(path.join(root, "models")) && isFolder(path.join(root, "Stable-diffusion"));
  return below(inside ? path.dirname(root) : root, A1111);
}

async function comfyFolders(root: string): Promise<CategoryFolder[]> {
  const models = [path.join(root, "models"), path.join(root, "ComfyUI", "models"), root].find((folder) =>
    below(folder, COMFY).some((place) => isFolder(place.folder)),
  );
  const extra = [root, path.dirname(models ?? root)]
    .map((folder) => path.join(folder, "extra_model_paths.yaml"))
    .find((file) => existsSync(file));
  const more = extra === undefined ? [] : await readExtra(extra);
  const own = models === undefined ? [] : below(models, COMFY);
  return [...more.filter((p) => p.first), ...own, ...more.filter((p) => !p.first)];
}

async function yamlFolders(file: string): Promise<CategoryFolder[]> {
  const places = await readExtra(file);
  return [...places.filter((p) => p.first), ...places.filter((p) => !p.first)];
}

const groupSchema = z.record(z.string(), z.unknown());
const extraSchema = z.record(z.string(), groupSchema.nullish());

/** Folders of an extra_model_paths.yaml: groups with a base path each. A value of several lines is several folders. */
async function readExtra(file: string): Promise<(CategoryFolder & { readonly first: boolean })[]> {
  const groups = extraSchema.safeParse(await parseYaml(file, (await readText(file)) ?? ""));
  if (!groups.success) throw new FileError(file, "is not an extra_model_paths.yaml: expected groups of folders");
  return Object.values(groups.data).flatMap((group) => {
    const { base_path: base, is_default: first, ...folders } = group ?? {};
    const home = path.resolve(path.dirname(file), typeof base === "string" ? expanded(base) : ".");
    return Object.entries(folders).flatMap(([kind, value]) => {
      const category = CATEGORIES.find((s) => COMFY[s].includes(kind));
      if (!category || typeof value !== "string") return [];
      const lines = value.split("\n").map((line) => line.trim());
      return lines
        .filter((line) => line !== "")
        .map((line) => ({ category, folder: path.resolve(home, expanded(line)), first: first === true }));
    });
  });
}

async function parseYaml(file: string, text: string): Promise<unknown> {
  const { parse } = await import("yaml");
  try {
    return parse(text, { maxAliasCount: 100 }) ?? {};
  } catch (cause) {
    throw new FileError(file, `is not YAML: ${reasonOf(cause)}`, { cause });
  }
}

/** Expands ~ and environment variables, as ComfyUI does. */
const expanded = (text: string): string =>
  text
    .replace(/^~(?=$|[\\/])/, homedir())
    .replace(/\$(?:\{(\w+)\}|(\w+))|%(\w+)%/g, (whole, a, b, c) => process.env[a ?? b ?? c] ?? whole);

/** All models of these categories, in search order. @throws FileError */
export async function listModels(
  modelFolders: readonly ModelFolder[],
  categories: readonly Category[] = CATEGORIES,
): Promise<FolderModel[]> {
  const found: FolderModel[] = [];
  const seen = new Set<string>();
  for (const modelFolder of modelFolders) {
    const places = await categoryFolders(modelFolder);
    for (const { category, folder } of places) {
      if (!categories.includes(category) || seen.has(`${category} ${folder}`)) continue;
      seen.add(`${category} ${folder}`);
      await walk(folder, "", new Set([await realpath(folder)]), (name) => {
        if (found.length >= MAX_FILES)
          throw new FileError(folder, `has more than ${MAX_FILES} models; name a subfolder`);
        found.push({ category, name, folder: path.basename(folder), path: path.join(folder, ...name.split("/")) });
      });
    }
  }
  return found;
}

/** Visits the models below a folder in alphabetical order. Links are followed; `above` holds the real paths of the open folders, against cycles. */
async function walk(
  folder: string,
  prefix: string,
  above: ReadonlySet<string>,
  visit: (name: string) => void,
): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new FileError(folder, `cannot be read (${codeOf(error)})`, { cause: error });
  });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const place = path.join(folder, entry.name);
    const info = entry.isSymbolicLink() ? statSync(place, { throwIfNoEntry: false }) : entry;
    if (info?.isFile() && ENDING.test(entry.name)) visit(`${prefix}${entry.name}`);
    if (!info?.isDirectory() || entry.name.startsWith(".")) continue;
    if (existsSync(path.join(place, "model_index.json"))) {
      visit(`${prefix}${entry.name}`);
      continue;
    }
    const real = await realpath(place);
    if (above.has(real) || above.size > MAX_DEPTH) continue;
    await walk(place, `${prefix}${entry.name}/`, new Set([...above, real]), visit);
  }
}

/** Ways to match a name, exact ones first. */
const WAYS: readonly ((item: FolderModel, asked: string) => boolean)[] = [
  ({ name, folder }, asked) => [name, stem(name), `${folder}/${name}`, `${folder}/${stem(name)}`].includes(asked),
  ({ name }, asked) => last(name) === asked || stem(last(name)) === asked,
  ({ name }, asked) => asked.length > 1 && last(name).toLowerCase().includes(asked.toLowerCase()),
];
const stem = (name: string): string => name.replace(ENDING, "");
const last = (name: string): string => name.slice(name.lastIndexOf("/") + 1);

/**
 * Finds a model by path below its folder, by file name, or by a unique part of its file name, each with or without extension; null
 * when none matches. A name cannot escape the model folders: it is only compared with the models in them.
 * @throws RequestError when several models match; FileError when a model folder is invalid
 */
export async function findModel(
  modelFolders: readonly ModelFolder[],
  asked: string,
  categories: readonly Category[],
): Promise<FolderModel | null> {
  const all = await listModels(modelFolders, categories);
  const name = asked.replaceAll("\\", "/");
  for (const [i, fits] of WAYS.entries()) {
    const found = all.filter((item) => fits(item, name));
    const [first] = found;
    if (!first) continue;
    // The same path in several model folders: the first one wins, as in ComfyUI.
    const others = new Set(found.map((item) => (i === 0 ? item.category : item.path)));
    if (others.size === 1) return first;
    const shown = found.slice(0, 6).map((item) => `${item.folder}/${item.name}`);
    throw new RequestError(
      `"${asked}" could be ${shown.join(" or ")}${found.length > 6 ? ` or ${found.length - 6} more` : ""}; name one of them`,
    );
  }
  return null;
}
