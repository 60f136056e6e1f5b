/** Files under paths, as checkpoints are read from: a disk, a folder at a URL, files that were dropped on a page. */
import { FileError } from "../errors.js";
import type { ByteSource } from "../tensor/index.js";
import type { ClipPadding } from "./clip-vocabulary.js";
import type { TokenizerFiles } from "./component.js";
import { parseJsonText } from "./json.js";

export interface FileSystem {
  /** What is at a path; null for nothing. */
  kindOf(path: string): Promise<"file" | "folder" | null>;
  /** Names of what is in a folder; empty where they cannot be listed. @throws FileError when the folder cannot be read */
  names(folder: string): Promise<readonly string[]>;
  /** Opens a file. @throws FileError when it is missing, or cannot be read */
  open(file: string): Promise<ByteSource>;
  /** Text of a small file; undefined for a missing one. @throws FileError */
  text(file: string): Promise<string | undefined>;
  join(...parts: readonly string[]): string;
  /** Tokenizer of CLIP, which files of a whole checkpoint do not contain. */
  clipTokenizer(padding: ClipPadding): Promise<TokenizerFiles>;
}

export const isFile = async (files: FileSystem, path: string): Promise<boolean> =>
  (await files.kindOf(path)) === "file";
export const exists = async (files: FileSystem, path: string): Promise<boolean> => (await files.kindOf(path)) !== null;

/** The last part of a path. */
export const nameIn = (path: string): string => path.slice(path.search(/[^/\\]*[/\\]*$/)).replace(/[/\\]+$/, "");
/** A path without its last part. */
export const folderOf = (path: string): string => path.slice(0, path.search(/[/\\]*[^/\\]*[/\\]*$/));

/** The first path of a list with something at it; null if there is none. */
export async function firstThere(files: FileSystem, paths: readonly string[]): Promise<string | null> {
  for (const path of paths) if (await exists(files, path)) return path;
  return null;
}

/**
 * Parses a JSON file, including Python's bare Infinity, and NaN as null. With `optional`, a missing file gives undefined.
 * @throws FileError when it is missing, too large, or not JSON (with the position of the syntax error)
 */
export async function readJson(files: FileSystem, file: string, { optional = false } = {}): Promise<unknown> {
  const text = await files.text(file);
  if (text !== undefined) return parseJsonText(text, file);
  if (optional) return undefined;
  throw new FileError(file, "there is no such file");
}

/** Abbreviated list of a folder's content, for messages. @throws FileError when it cannot be read */
export async function contents(files: FileSystem, folder: string): Promise<string> {
  const names = await files.names(folder);
  const shown = names.slice(0, 8).join(", ") || "nothing";
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown;
}
