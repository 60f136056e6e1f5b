/** Reads folders of images from any tool: files, the prompt of each, and pixels. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { FileError, RequestError, reasonOf } from "../errors.js";
import { IMAGE_FILE, isFolder, type Label, NOT_SAMPLES, OTHER_IMAGE, readImage } from "../files/index.js";
import { counted, type RgbImage } from "../tensor/index.js";
import { type PromptList, promptFor } from "./prompts.js";

/** Image file that can be measured. */
export interface ImageFile {
  /** Path relative to the folder, with slashes. */
  readonly file: string;
  readonly width: number;
  readonly height: number;
  /** Named pair that made it (see `Label`). */
  readonly pair?: string | null;
  /** Reads the pixels again, since a folder may be larger than the memory. */
  load(): Promise<RgbImage>;
}

/** Images of one prompt. */
export interface Group {
  readonly prompt: string;
  /** Origin of the prompt: a list, the metadata of a tool, or the name of the folder or file. */
  readonly promptSource: "list" | Label["by"] | "folder" | "name" | "nothing";
  readonly images: readonly ImageFile[];
}

export interface Skipped {
  readonly file: string;
  readonly why: string;
}

export interface ImageFolder {
  readonly folder: string;
  readonly groups: readonly Group[];
  readonly skipped: readonly Skipped[];
}

const DEEPEST = 6;

/** An image file, or an entry that may hold images and is not read, with the reason. */
interface Entry {
  readonly file: string;
  readonly why: string | null;
}

function filesIn(folder: string, below = "", depth = 0): Entry[] {
  const current = path.join(folder, below);
  let entries: ReturnType<typeof list>;
  try {
    entries = list(current);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    const why =
      code === "ENOENT"
        ? "there is no such folder"
        : code === "ENOTDIR"
          ? "is a file; expected a folder of images"
          : `cannot be read (${code})`;
    throw new FileError(current, why, { cause: error });
  }
  return entries.flatMap((e) => {
    const name = below === "" ? e.name : `${below}/${e.name}`;
    if (e.name.startsWith(".")) return [];
    if (e.isDirectory()) return depth < DEEPEST ? filesIn(folder, name, depth + 1) : [];
    if (e.isSymbolicLink() && isFolder(path.join(current, e.name)))
      return [{ file: name, why: "is a link to a folder, which is not followed" }];
    if (OTHER_IMAGE.test(e.name))
      return [{ file: name, why: `${path.extname(e.name)} is not read; convert it to .png` }];
    return IMAGE_FILE.test(e.name) && !NOT_SAMPLES.has(e.name) ? [{ file: name, why: null }] : [];
  });
}

const list = (folder: string) =>
  readdirSync(folder, { withFileTypes: true }).sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));

export interface ReadOptions {
  readonly prompts?: PromptList;
  /** Skips images that cannot be read or differ in size, instead of refusing the folder. */
  readonly skipBad?: boolean;
  readonly onImage?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Reads every image of a folder and its subfolders. @throws FileError, RequestError with the invalid files */
export async function readFolder(folder: string, o: ReadOptions = {}): Promise<ImageFolder> {
  const files = filesIn(folder);
  if (files.length === 0) throw new FileError(folder, "holds no images (.png, .jpg, .webp, .avif, .tiff, .gif)");
  const read: Found[] = [];
  const bad: Skipped[] = [];
  for (const [i, { file, why }] of files.entries()) {
    o.signal?.throwIfAborted();
    o.onImage?.(i, files.length);
    if (why !== null) {
      bad.push({ file, why });
      continue;
    }
    try {
      const { image, label } = await readImage(path.join(folder, file));
      read.push({ file, width: image.width, height: image.height, label });
    } catch (error) {
      bad.push({ file, why: reasonOf(error) });
    }
  }
  const size = usualSize(read);
  const kept = read.filter((found) => {
    if (size === sizeOf(found)) return true;
    bad.push({ file: found.file, why: `is ${sizeOf(found)}; most are ${size}` });
    return false;
  });
  if (bad.length > 0 && !o.skipBad) {
    const shown = bad.slice(0, 3).map((b) => `${b.file}: ${b.why}`);
    const more = bad.length > 3 ? ` … and ${bad.length - 3} more` : "";
    throw new FileError(
      folder,
      `${bad.length} of ${counted(files.length, "image")} cannot be measured with the others (${shown.join("; ")}${more}); --skip-bad skips them`,
    );
  }
  if (kept.length === 0) throw new FileError(folder, "holds no readable image");
  return { folder, groups: grouped(folder, kept, o.prompts), skipped: bad };
}

type Size = { readonly width: number; readonly height: number };
type Found = Size & { readonly file: string; readonly label: Label | null };

const sizeOf = ({ width, height }: Size) => `${width} × ${height}`;

/** Most frequent image size. */
function usualSize(images: readonly Size[]): string {
  const counts = new Map<string, number>();
  for (const image of images) counts.set(sizeOf(image), (counts.get(sizeOf(image)) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
}

/** Groups images by prompt, in the order of the files. */
function grouped(folder: string, found: readonly Found[], prompts: PromptList | undefined): Group[] {
  const groups = new Map<string, Named & { readonly images: ImageFile[] }>();
  const stems = new Map<string, number>();
  for (const { file } of found) stems.set(stemOf(file), (stems.get(stemOf(file)) ?? 0) + 1);
  const unnamed: string[] = [];
  for (const { file, width, height, label } of found) {
    const listed = prompts && promptFor(prompts, file);
    if (prompts && listed === null) unnamed.push(file);
    const named: Named = listed
      ? { prompt: listed, promptSource: "list" }
      : (label && { prompt: label.prompt, promptSource: label.by }) || promptFromPath(file, stems);
    const group = groups.get(named.prompt) ?? { ...named, images: [] };
    const load = async () => (await readImage(path.join(folder, file))).image;
    const made = label?.pair !== undefined && { pair: label.pair };
    group.images.push({ file, width, height, ...made, load });
    groups.set(named.prompt, group);
  }
  if (prompts && unnamed.length === found.length) {
    throw new RequestError(
      `${prompts.file} has none of the ${counted(found.length, "image")} in ${folder}; the folder has files like ${unnamed.slice(0, 2).join(", ")}, the list ${prompts.names.slice(0, 2).join(", ") || "is empty"}`,
    );
  }
  if (prompts && unnamed.length > 0) {
    throw new RequestError(
      `${prompts.file} has no prompt for ${unnamed.length} of the ${counted(found.length, "image")} (${unnamed.slice(0, 3).join(", ")}${unnamed.length > 3 ? ", …" : ""})`,
    );
  }
  return [...groups.values()];
}

/** File name without its number: "a red fox_00012.png" → "a red fox"; "" for "00012.png" and "3-12.png". */
function stemOf(file: string): string {
  const name = path.basename(file).replace(/\.\w+$/, "");
  return name
    .replace(/([-_ .(]*\d+\)?[-_ ]*)+$/, "")
    .replace(/[-_]+/g, " ")
    .trim();
}

type Named = Pick<Group, "prompt" | "promptSource">;

/** Prompt from the subfolder, or from a file name that several images share. */
function promptFromPath(file: string, stems: ReadonlyMap<string, number>): Named {
  const folder = path.dirname(file);
  if (folder !== ".") return { prompt: path.basename(folder).replace(/[-_]+/g, " "), promptSource: "folder" };
  const stem = stemOf(file);
  if (stem !== "" && (stems.get(stem) ?? 0) > 1) return { prompt: stem, promptSource: "name" };
  return { prompt: "", promptSource: "nothing" };
}
