/** What a reference stands for: something that ships with the package, a path, or a name that is looked up; always a local path in the end. */
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

/** Where references that are no paths are looked up. Plain data: it travels to other processes and into run.json. */
export interface SearchPath {
  /** Trees of models, as ComfyUI and A1111 keep them, whose models are found by their names. */
  readonly modelFolders?: readonly ModelFolder[];
  /** Precision that is fetched from the Hub where a repository has several; default "fp16". */
  readonly variant?: Variant;
}

export interface LookupOptions extends SearchPath, DownloadOptions {}

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

/** Where a reference was found, or why not there. */
type Finding = { readonly path: string } | { readonly not: string };
type Finder = (ref: string, kind: ModelKind, lookup: LookupOptions) => Finding | Promise<Finding>;

/** In this order; the first that finds it decides. */
const FINDERS: readonly Finder[] = [inPackage, onDisk, inModelFolders, embeddedAdapter, onTheHub];

/**
 * The local path of what a reference names.
 * @throws FileError that lists where it was looked for; RequestError when a name could mean several
 */
export async function locate(ref: string, kind: ModelKind, lookup: LookupOptions = {}): Promise<string> {
  const tried: string[] = [];
  for (const find of FINDERS) {
    const finding = await find(ref, kind, lookup);
    if ("path" in finding) return finding.path;
    if (finding.not !== "") tried.push(finding.not);
  }
  throw new FileError(ref, tried.join("; "));
}

/** What ships with the package is named by its place in it, whether it is there or not. */
function inPackage(ref: string): Finding {
  return ref.startsWith(SCHEME) ? { path: resolveReference(ref) } : { not: "" };
}

function onDisk(ref: string): Finding {
  return existsSync(ref) ? { path: ref } : { not: "there is no such file or folder" };
}

/** `owner/name` and places in it: from the cache, or fetched now. */
async function onTheHub(
  ref: string,
  kind: ModelKind,
  { variant, signal, onDownload }: LookupOptions,
): Promise<Finding> {
  const reference = parseHubReference(ref);
  if (!reference) return { not: "not a Hub id (owner/name, owner/name:folder, owner/name/file)" };
  try {
    const options = { ...(variant && { variant }), ...(signal && { signal }), ...(onDownload && { onDownload }) };
    return { path: await fetchReference(reference, kind, options) };
  } catch (error) {
    const prefix = error instanceof HubError ? MAY_BE_A_PATH[error.kind] : undefined;
    if (!(error instanceof HubError) || prefix === undefined) throw error;
    return { not: `${prefix} ${error.problem}` };
  }
}

/** Errors after which the reference may as well be a misspelt path, with how the message goes on. After any other the Hub knows the repository. */
const MAY_BE_A_PATH: { readonly [K in HubErrorKind]?: string } = {
  "not-found": "as a Hub id it",
  "not-cached": "as a Hub id it",
  unreachable: "for a Hub id,",
};

/** Which kinds of things in a tree of models may be meant. */
const CATEGORIES_OF: { readonly [W in ModelKind]: readonly Category[] } = {
  pipeline: ["checkpoint", "diffusers", "unet"],
  unet: ["unet", "checkpoint", "adapter", "diffusers"],
  autoencoder: ["autoencoder"],
  "text encoder": ["text encoder"],
  clip: [],
  vision: [],
  adapter: ["adapter"],
  "textual inversion": ["textual inversion"],
  file: [],
  model: CATEGORIES,
};

/** By name in the trees that were given. */
async function inModelFolders(ref: string, kind: ModelKind, { modelFolders = [] }: LookupOptions): Promise<Finding> {
  if (modelFolders.length === 0) return { not: "" };
  const categories = CATEGORIES_OF[kind];
  const found = await findModel(modelFolders, ref, categories);
  if (found) return { path: found.path };
  const trees = modelFolders.map((l) => l.path).join(", ");
  if (categories.length === 0) return { not: "" };
  return { not: `not in ${trees} (searched: ${categories.join(", ")})` };
}

/** Folders of the package that hold adapters. */
export const EMBEDDED_ADAPTERS = ["embedded:sliders", "embedded:adapters"] as const;

/** An adapter by a part of a name that one of the package's adapters alone has. */
function embeddedAdapter(ref: string, kind: ModelKind): Finding {
  if ((kind !== "adapter" && kind !== "textual inversion") || /[\\/]/.test(ref)) return { not: "" };
  const all = EMBEDDED_ADAPTERS.flatMap((folder) => {
    const dir = resolveReference(folder);
    return existsSync(dir) ? readdirSync(dir).map((file) => `${folder}/${file}`) : [];
  });
  const found = all.filter((name) => name.slice(name.lastIndexOf("/") + 1).includes(ref));
  const [only] = found;
  if (found.length > 1) throw new RequestError(`"${ref}" could be ${found.join(" or ")}; name one of them`);
  if (only) return { path: resolveReference(only) };
  return { not: `not an adapter of the package (${all.join(", ") || "it has none"})` };
}
