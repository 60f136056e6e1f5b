/** A folder of pictures from any tool: which files there are, which prompt each belongs to, and their pixels. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { FileError, RequestError, reasonOf } from "../errors.js";
import { readPngText } from "../files/index.js";
import type { RgbImage } from "../tensor/index.js";
import { type Label, labelOf } from "./labels.js";
import { type PromptList, promptFor } from "./prompts.js";

/** One picture that can be measured. */
export interface Picture {
  /** Relative to the folder, with slashes. */
  readonly file: string;
  readonly width: number;
  readonly height: number;
  /** Reads its pixels again: a folder may hold more than memory does. */
  load(): Promise<RgbImage>;
}

/** Pictures of one prompt. `told` says where the prompt comes from. */
export interface Group {
  readonly prompt: string;
  readonly told: "list" | Label["by"] | "folder" | "name" | "nothing";
  readonly pictures: readonly Picture[];
}

export interface Skipped {
  readonly file: string;
  readonly why: string;
}

export interface PictureFolder {
  readonly folder: string;
  readonly groups: readonly Group[];
  readonly skipped: readonly Skipped[];
}

const PICTURE = /\.(png|jpe?g|webp|avif|tiff?|gif)$/i;
/** Files that runs leave beside their pictures. */
const NOT_PICTURES = new Set(["sheet.png", "filmstrip.png", "grid.png"]);
const LARGEST_FILE = 200_000_000;
const LARGEST_PICTURE = 64_000_000;
const DEEPEST = 6;

function filesIn(folder: string, below = "", depth = 0): string[] {
  const place = path.join(folder, below);
  let entries: ReturnType<typeof list>;
  try {
    entries = list(place);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    const why =
      code === "ENOENT"
        ? "there is no such folder"
        : code === "ENOTDIR"
          ? "is a file; a folder of pictures was expected"
          : `cannot be read (${code})`;
    throw new FileError(place, why, { cause: error });
  }
  return entries.flatMap((e) => {
    const name = below === "" ? e.name : `${below}/${e.name}`;
    if (e.name.startsWith(".")) return [];
    if (e.isDirectory()) return depth < DEEPEST ? filesIn(folder, name, depth + 1) : [];
    return PICTURE.test(e.name) && !NOT_PICTURES.has(e.name) ? [name] : [];
  });
}

const list = (place: string) =>
  readdirSync(place, { withFileTypes: true }).sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));

export interface ReadOptions {
  readonly prompts?: PromptList;
  /** Leave out what cannot be read or has another size, instead of refusing. */
  readonly skipBad?: boolean;
  readonly onPicture?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Reads every picture of a folder and of those below it. @throws FileError, RequestError naming what is wrong with which files */
export async function readFolder(folder: string, o: ReadOptions = {}): Promise<PictureFolder> {
  const files = filesIn(folder);
  if (files.length === 0) throw new FileError(folder, "holds no pictures (.png, .jpg, .webp, .avif, .tiff, .gif)");
  const read: Found[] = [];
  const bad: Skipped[] = [];
  for (const [i, file] of files.entries()) {
    o.signal?.throwIfAborted();
    o.onPicture?.(i, files.length);
    try {
      const { image, label } = await readPicture(path.join(folder, file));
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
      `${bad.length} of ${files.length} pictures cannot be measured with the others (${shown.join("; ")}${more}); --skip-bad leaves them out`,
    );
  }
  if (kept.length === 0) throw new FileError(folder, "holds no picture that can be read");
  return { folder, groups: grouped(folder, kept, o.prompts), skipped: bad };
}

type Size = { readonly width: number; readonly height: number };
type Found = Size & { readonly file: string; readonly label: Label | null };

const sizeOf = ({ width, height }: Size) => `${width} × ${height}`;

/** The size that most pictures have. */
function usualSize(images: readonly Size[]): string {
  const counts = new Map<string, number>();
  for (const image of images) counts.set(sizeOf(image), (counts.get(sizeOf(image)) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
}

async function readPicture(file: string): Promise<{ image: RgbImage; label: Label | null }> {
  const { size } = statSync(file);
  if (size > LARGEST_FILE) throw new RequestError(`has ${size} bytes; ${LARGEST_FILE} is the most`);
  if (size === 0) throw new RequestError("is empty");
  const bytes = readFileSync(file);
  const { default: sharp } = await import("sharp");
  try {
    // Transparent parts become white, grey becomes three channels; turned as its camera says.
    const { data, info } = await sharp(bytes, { limitInputPixels: LARGEST_PICTURE, failOn: "error" })
      .autoOrient()
      .flatten({ background: "#ffffff" })
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    if (channels !== 3) throw new RequestError(`has ${channels} channels`);
    return { image: { width, height, data: new Uint8Array(data) }, label: labelOf(await readPngText(bytes)) };
  } catch (error) {
    if (error instanceof RequestError) throw error;
    throw new RequestError(`is no picture that can be read (${reasonOf(error)})`, { cause: error });
  }
}

/** Pictures by prompt, in the order in which prompts are first met. */
function grouped(folder: string, pictures: readonly Found[], prompts: PromptList | undefined): Group[] {
  const groups = new Map<string, { prompt: string; told: Group["told"]; pictures: Picture[] }>();
  const stems = new Map<string, number>();
  for (const { file } of pictures) stems.set(stemOf(file), (stems.get(stemOf(file)) ?? 0) + 1);
  const unnamed: string[] = [];
  for (const { file, width, height, label } of pictures) {
    const listed = prompts && promptFor(prompts, file);
    if (prompts && listed === null) unnamed.push(file);
    const { prompt, told } = listed
      ? { prompt: listed, told: "list" as const }
      : (label && { prompt: label.prompt, told: label.by }) || byPlace(file, stems);
    const group = groups.get(prompt) ?? { prompt, told, pictures: [] };
    const load = async () => (await readPicture(path.join(folder, file))).image;
    group.pictures.push({ file, width, height, load });
    groups.set(prompt, group);
  }
  if (prompts && unnamed.length === pictures.length) {
    throw new RequestError(
      `${prompts.file} names none of the ${pictures.length} pictures in ${folder}; the pictures are called like ${unnamed.slice(0, 2).join(", ")}, the list names ${prompts.names.slice(0, 2).join(", ") || "nothing"}`,
    );
  }
  if (prompts && unnamed.length > 0) {
    throw new RequestError(
      `${prompts.file} names no prompt for ${unnamed.length} of the ${pictures.length} pictures (${unnamed.slice(0, 3).join(", ")}${unnamed.length > 3 ? ", …" : ""})`,
    );
  }
  return [...groups.values()];
}

/** A file's name without its number: "a red fox_00012.png" → "a red fox"; nothing for "00012.png" and "3-12.png". */
function stemOf(file: string): string {
  const name = path.basename(file).replace(/\.\w+$/, "");
  return name
    .replace(/([-_ .(]*\d+\)?[-_ ]*)+$/, "")
    .replace(/[-_]+/g, " ")
    .trim();
}

/** By sub-folder, by name where several pictures share one, or all together. */
function byPlace(file: string, stems: ReadonlyMap<string, number>): { prompt: string; told: Group["told"] } {
  const folder = path.dirname(file);
  if (folder !== ".") return { prompt: path.basename(folder).replace(/[-_]+/g, " "), told: "folder" };
  const stem = stemOf(file);
  if (stem !== "" && (stems.get(stem) ?? 0) > 1) return { prompt: stem, told: "name" };
  return { prompt: "", told: "nothing" };
}
