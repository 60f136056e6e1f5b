/**
 * Paths of a page: `embedded:…` in the folder that ships with the package, `file:…` for files that the user gave, addresses, and `hub:…` in
 * repositories of the Hub whose files have been listed. Files at addresses are downloaded whole and kept.
 */
import {
  blobSource,
  type ClipVocabulary,
  clipTokenizerFiles,
  type FileSystem,
  parseClipVocabulary,
} from "../checkpoint/index.js";
import { FileError } from "../errors.js";
import { type DownloadOptions, download } from "./download.js";
import { EMBEDDED_FILES } from "./embedded.js";

/** Largest text file in bytes, such as a vocabulary. */
const LARGEST_TEXT = 64e6;

export interface WebFiles extends FileSystem {
  /** Files that the user gave, by name. */
  readonly given: Map<string, Blob>;
  /**
   * Adds the files of a repository: paths in it, with their addresses. Returns the path of the repository.
   * @param headers of requests for these files only
   */
  mount(repository: string, files: ReadonlyMap<string, string>, headers: Readonly<Record<string, string>>): string;
  /** Starts downloads, which are then read as they arrive. */
  prefetch(files: readonly string[]): void;
  /** Names in a folder and below it. */
  below(folder: string): readonly string[];
}

export interface WebFilesOptions extends DownloadOptions {
  /** Address of the package's folder `embedded/`. */
  readonly embedded: string;
  /** Address of CLIP's vocabulary, `assets/clip/bpe_simple_vocab_16e6.txt.gz` of the package. */
  readonly vocabulary: string;
}

/** A file at an address. */
interface Listed {
  readonly address: string;
  readonly headers: Readonly<Record<string, string>>;
}

const withSlash = (address: string): string => (address.endsWith("/") ? address : `${address}/`);
const isAddress = (path: string): boolean => /^https?:/.test(path);

export function webFiles({ embedded, vocabulary, ...options }: WebFilesOptions): WebFiles {
  const given = new Map<string, Blob>();
  const listed = new Map<string, Listed>(
    EMBEDDED_FILES.map((file) => [`embedded:${file}`, { address: withSlash(embedded) + file, headers: {} }]),
  );
  const fetched = new Map<string, Promise<Blob | null>>();
  let clip: Promise<ClipVocabulary> | undefined;

  function fetchOnce(path: string, { address, headers }: Listed): Promise<Blob | null> {
    const found = fetched.get(path) ?? download(address, { ...options, headers });
    fetched.set(path, found);
    // A failure is not kept: the next attempt may succeed.
    found.catch(() => fetched.delete(path));
    return found;
  }

  async function blobOf(path: string): Promise<Blob | null> {
    if (path.startsWith("file:")) return given.get(path.slice("file:".length)) ?? null;
    const file = listed.get(path) ?? (isAddress(path) ? { address: path, headers: {} } : undefined);
    return file ? fetchOnce(path, file) : null;
  }

  const below = (folder: string): string[] => {
    const start = folder.endsWith(":") || folder.endsWith("/") ? folder : `${folder}/`;
    return [...listed.keys()].flatMap((path) => (path.startsWith(start) ? [path.slice(start.length)] : []));
  };

  return {
    given,
    below,
    mount(repository, files, headers) {
      const root = `hub:${repository}`;
      for (const [path, address] of files) listed.set(`${root}/${path}`, { address, headers });
      return root;
    },
    prefetch(files) {
      for (const file of files) void blobOf(file).catch(() => {});
    },
    async kindOf(path) {
      if (listed.has(path)) return "file";
      if (below(path).length > 0) return "folder";
      if (!isAddress(path)) return (await blobOf(path)) ? "file" : null;
      // A server does not list folders: an address without the ending of a file is taken for one.
      if (!/\.\w+$/.test(new URL(path).pathname)) return "folder";
      return (await blobOf(path)) ? "file" : null;
    },
    names: async (folder) => [...new Set(below(folder).map((path) => path.split("/")[0] ?? ""))],
    async open(file) {
      const blob = await blobOf(file);
      if (!blob) throw new FileError(file, "there is no such file");
      return blobSource(blob, file.replace(/^file:/, ""));
    },
    async text(file) {
      const blob = await blobOf(file);
      if (blob && blob.size > LARGEST_TEXT) {
        throw new FileError(file, `is ${blob.size} bytes; a file of this kind has less than ${LARGEST_TEXT}`);
      }
      return blob?.text();
    },
    join: (first = "", ...others) => `${first}${/[:/]$/.test(first) ? "" : "/"}${others.join("/")}`,
    async clipTokenizer(padding) {
      clip ??= readVocabulary(vocabulary, options);
      return clipTokenizerFiles(await clip, vocabulary, padding);
    },
  };
}

async function readVocabulary(address: string, options: DownloadOptions): Promise<ClipVocabulary> {
  const blob = await download(address, options);
  if (!blob)
    throw new FileError(address, "there is no such file; it is CLIP's vocabulary, which single files do not contain");
  const text = blob.stream().pipeThrough(new DecompressionStream("gzip"));
  return parseClipVocabulary(await new Response(text).text());
}
