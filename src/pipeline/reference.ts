/** What a reference stands for: something that ships with the package, a path, or a name that is looked up; always a local path in the end. */
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { FileError, RequestError } from "../errors.js";

const EMBEDDED = new URL("../../embedded/", import.meta.url);

/** What is wanted where a reference stands: it decides which files of a repository are needed. */
export type Wanted =
  /** A model with everything it paints with: a diffusers folder, or one file. */
  | "pipeline"
  /** What `--distilled` takes: a UNet, in whatever it lies, or a LoRA. */
  | "unet"
  | "autoencoder"
  /** A CLIPModel with its tokenizer. */
  | "clip"
  /** Another network that looks at pictures. */
  | "vision"
  | "adapter"
  /** A learned word. */
  | "word"
  /** Anything else: a file, or a folder as it is. */
  | "file";

/** Where references that are no paths are looked up. Plain data: it travels to other processes and into run.json. */
export interface Places {
  /** Folders whose models are found by their names. */
  readonly libraries?: readonly string[];
}

/** Who may stop the looking up. */
export interface Fetching {
  readonly signal?: AbortSignal;
}

export interface Sources extends Places, Fetching {}

/** A reference as a path, without looking anything up: `embedded:` names the folder that ships with the package. */
export function resolveReference(ref: string): string {
  return ref.startsWith("embedded:") ? fileURLToPath(new URL(ref.slice("embedded:".length), EMBEDDED)) : ref;
}

/** Where a reference was found, or why not there. */
type Finding = { readonly path: string } | { readonly not: string };
type Finder = (ref: string, wanted: Wanted, sources: Sources) => Finding | Promise<Finding>;

/** In this order; the first that finds it decides. */
const FINDERS: readonly Finder[] = [inPackage, onDisk, amongShipped];

/**
 * The local path of what a reference names.
 * @throws FileError that lists where it was looked for; RequestError when a name could mean several
 */
export async function locate(ref: string, wanted: Wanted, sources: Sources = {}): Promise<string> {
  const tried: string[] = [];
  for (const find of FINDERS) {
    const finding = await find(ref, wanted, sources);
    if ("path" in finding) return finding.path;
    if (finding.not !== "") tried.push(finding.not);
  }
  throw new FileError(ref, tried.join(", and "));
}

/** What ships with the package is named by its place in it, whether it is there or not. */
function inPackage(ref: string): Finding {
  return ref.startsWith("embedded:") ? { path: resolveReference(ref) } : { not: "" };
}

function onDisk(ref: string): Finding {
  return existsSync(ref) ? { path: ref } : { not: "there is no such file or folder" };
}

/** Folders of the package that hold adapters. */
const SHIPPED = ["embedded:sliders", "embedded:adapters"] as const;

/** An adapter by a part of a name that one of the package's adapters alone has. */
function amongShipped(ref: string, wanted: Wanted): Finding {
  if ((wanted !== "adapter" && wanted !== "word") || /[\\/]/.test(ref)) return { not: "" };
  const all = SHIPPED.flatMap((folder) => {
    const dir = resolveReference(folder);
    return existsSync(dir) ? readdirSync(dir).map((file) => `${folder}/${file}`) : [];
  });
  const found = all.filter((name) => name.slice(name.lastIndexOf("/") + 1).includes(ref));
  const [only] = found;
  if (found.length > 1) throw new RequestError(`"${ref}" could be ${found.join(" or ")}; name one of them`);
  if (only) return { path: resolveReference(only) };
  return { not: `no adapter of the package has it in its name (${all.join(", ") || "there are none"})` };
}
