/** Resolves references to local paths: embedded files, paths, names in model folders, embedded adapters, and Hub ids. */
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { FileError, RequestError } from "../errors.js";
import {
  type DownloadOptions,
  fetchReference,
  HubError,
  type HubErrorKind,
  type ModelKind,
  parseHubReference,
  staysInside,
  type Variant,
} from "../hub/index.js";
import { CATEGORIES, type Category, findModel, type ModelFolder } from "./model-folders.js";

/** The folder that ships with the package. */
const EMBEDDED = fileURLToPath(new URL("../../embedded", import.meta.url));
const SCHEME = "embedded:";

/** Where to search for references that are not paths. Plain data, for other processes and run.json. */
export interface SearchPath {
  /** Model folders of ComfyUI and A1111, whose models are found by name. */
  readonly modelFolders?: readonly ModelFolder[];
  /** Precision to download from the Hub where a repository has several. Default: "fp16". */
  readonly variant?: Variant;
}

export interface LookupOptions extends SearchPath, DownloadOptions {
  /** References of adapters that ship with the pair, which are found by name. */
  readonly pairAdapters?: readonly string[];
}

/**
 * A reference as a path, without searching: `embedded:PLACE` is a place in the folder that ships with the package.
 * @throws FileError when the place is outside that folder
 */
export function resolveReference(ref: string): string {
  if (!ref.startsWith(SCHEME)) return ref;
  const place = ref.slice(SCHEME.length).replace(/\/$/, "");
  if (place === "") return EMBEDDED;
  if (staysInside(place)) return path.join(EMBEDDED, ...place.split("/"));
  throw new FileError(ref, `is not a path inside the package's ${path.basename(EMBEDDED)} folder`);
}

/** The local path, or the reason why this finder has none; "" where it does not apply. */
type Finding = { readonly path: string } | { readonly problem: string };
type Finder = (ref: string, kind: ModelKind, lookup: LookupOptions) => Finding | Promise<Finding>;

/** Finders, in order of precedence. */
const FINDERS: readonly Finder[] = [inPackage, onDisk, inModelFolders, shippedAdapter, onTheHub];
/** Finders for names that are part of a prompt, which must not open other files or download any. */
const BY_NAME: readonly Finder[] = [inModelFolders, shippedAdapter];

/**
 * The local path of a reference, downloaded from the Hub where necessary.
 * @throws FileError naming the places that were searched; RequestError when a name is ambiguous
 */
export const locate = (ref: string, kind: ModelKind, lookup: LookupOptions = {}): Promise<string> =>
  search(FINDERS, ref, kind, lookup);

/**
 * The local path of a model by its name in the model folders, or of an adapter of the pair or the package; never a path or a Hub id.
 * @throws as locate
 */
export const locateByName = (name: string, kind: ModelKind, lookup: LookupOptions = {}): Promise<string> =>
  search(BY_NAME, name, kind, lookup);

async function search(
  finders: readonly Finder[],
  ref: string,
  kind: ModelKind,
  lookup: LookupOptions,
): Promise<string> {
  const tried: string[] = [];
  for (const find of finders) {
    const finding = await find(ref, kind, lookup);
    if ("path" in finding) return finding.path;
    if (finding.problem !== "") tried.push(finding.problem);
  }
  throw new FileError(ref, tried.join("; "));
}

/** Files of the package. Existence is not checked. */
function inPackage(ref: string): Finding {
  return ref.startsWith(SCHEME) ? { path: resolveReference(ref) } : { problem: "" };
}

function onDisk(ref: string): Finding {
  return existsSync(ref) ? { path: ref } : { problem: "there is no such file or folder" };
}

/** Hub references, from the cache or downloaded. */
async function onTheHub(
  ref: string,
  kind: ModelKind,
  { variant, signal, onDownload }: LookupOptions,
): Promise<Finding> {
  const reference = parseHubReference(ref);
  if (!reference) return { problem: "not a Hub id (owner/name, owner/name:folder, owner/name/file)" };
  try {
    const options = { ...(variant && { variant }), ...(signal && { signal }), ...(onDownload && { onDownload }) };
    return { path: await fetchReference(reference, kind, options) };
  } catch (error) {
    const prefix = error instanceof HubError ? MAY_BE_A_PATH[error.kind] : undefined;
    if (!(error instanceof HubError) || prefix === undefined) throw error;
    return { problem: `${prefix} ${error.problem}` };
  }
}

/** Kinds of error after which the reference may be a misspelt path, with the start of the message. Any other kind is thrown. */
const MAY_BE_A_PATH: { readonly [K in HubErrorKind]?: string } = {
  "not-found": "as a Hub id it",
  "not-cached": "as a Hub id it",
  unreachable: "for a Hub id,",
};

/** Categories to search for each kind of model. */
const CATEGORIES_OF: { readonly [W in ModelKind]: readonly Category[] } = {
  pipeline: ["checkpoint", "diffusers", "unet"],
  unet: ["unet", "checkpoint", "adapter", "diffusers"],
  autoencoder: ["autoencoder"],
  "text encoder": ["text encoder"],
  tokenizer: ["text encoder"],
  clip: [],
  vision: [],
  adapter: ["adapter"],
  "textual inversion": ["textual inversion"],
  file: [],
  model: CATEGORIES,
};

/** Models in the model folders, by name. */
async function inModelFolders(ref: string, kind: ModelKind, { modelFolders = [] }: LookupOptions): Promise<Finding> {
  if (modelFolders.length === 0) return { problem: "" };
  const categories = CATEGORIES_OF[kind];
  const found = await findModel(modelFolders, ref, categories);
  if (found) return { path: found.path };
  const searched = modelFolders.map((l) => l.path).join(", ");
  if (categories.length === 0) return { problem: "" };
  return { problem: `not in ${searched} (categories: ${categories.join(", ")})` };
}

/** Folders of the package with adapters. */
export const EMBEDDED_ADAPTERS = ["embedded:sliders", "embedded:adapters"] as const;

/** Kinds of reference that an adapter of the package can be. */
const EMBEDDED_KINDS: readonly ModelKind[] = ["adapter", "textual inversion", "model"];

/** Adapters of the pair and of the package, by a unique part of the file name. */
function shippedAdapter(ref: string, kind: ModelKind, { pairAdapters = [] }: LookupOptions): Finding {
  if (!EMBEDDED_KINDS.includes(kind) || /[\\/]/.test(ref)) return { problem: "" };
  const embedded = EMBEDDED_ADAPTERS.flatMap((folder) => {
    const dir = resolveReference(folder);
    return existsSync(dir) ? readdirSync(dir).map((file) => `${folder}/${file}`) : [];
  });
  const all = [...new Set([...pairAdapters, ...embedded])];
  const nameOf = (adapter: string) => adapter.slice(adapter.lastIndexOf("/") + 1);
  const found = all.filter((adapter) => nameOf(adapter).includes(ref));
  const [only] = found;
  if (found.length > 1) throw new RequestError(`"${ref}" could be ${found.join(" or ")}; name one of them`);
  if (only) return { path: resolveReference(only) };
  return { problem: `not an adapter of the pair or the package (${all.map(nameOf).join(", ") || "they have none"})` };
}
