/** The folder of a run: whole files only, a log that grows as things happen, and never two runs mixed in one folder. */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import { codeOf, FileError, RequestError } from "../errors.js";
import { writeWhole } from "../files/index.js";

/** A file of the run, as run.json lists it. */
export interface RunFile {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface RunFolder {
  readonly dir: string;
  /** Everything logged so far; empty for a new run. */
  readonly past: readonly Readonly<Record<string, unknown>>[];
  /** Writes a whole file, sub-folders included. */
  write(name: string, bytes: Uint8Array): Promise<RunFile>;
  /** Appends one line to events.jsonl. */
  log(event: Readonly<Record<string, unknown>>): void;
}

export interface FolderOptions {
  readonly out?: string | undefined;
  readonly force?: boolean | undefined;
  readonly resume?: boolean | undefined;
}

const LOG = "events.jsonl";

/**
 * Opens a folder for a run that `identity` describes. A folder that holds another run is refused; with `resume` a run of the same
 * identity goes on, with `force` its log starts anew.
 */
export async function openRunFolder(command: string, identity: unknown, o: FolderOptions): Promise<RunFolder> {
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");
  const dir = path.resolve(o.out ?? path.join("out", `${command}-${time}`));
  const log = path.join(dir, LOG);
  const id = createHash("sha256").update(JSON.stringify(identity)).digest("hex").slice(0, 16);
  makeFolder(dir);
  let past: Record<string, unknown>[] = [];
  if (existsSync(log) && o.force) await rm(log);
  if (existsSync(log)) {
    past = readLog(log);
    const same = past[0]?.["id"] === id;
    if (o.resume && !same) {
      throw new RequestError(
        `${dir} holds a run of another request; give the same options to --resume it, or choose another --out`,
      );
    }
    if (!o.resume) {
      throw new RequestError(
        `${dir} already holds a run; --resume goes on with it, --force replaces it, --out chooses another folder`,
      );
    }
  }
  const append = (event: Readonly<Record<string, unknown>>) => {
    try {
      appendFileSync(log, `${JSON.stringify(event)}\n`);
    } catch (error) {
      throw new FileError(log, `cannot be written (${codeOf(error)})`, { cause: error });
    }
  };
  if (past.length === 0) append({ type: "run", id, command, request: identity });
  return {
    dir,
    past,
    log: append,
    async write(name, bytes) {
      const file = path.join(dir, name);
      makeFolder(path.dirname(file));
      await writeWhole(file, bytes);
      return { file: name, bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
    },
  };
}

/** Makes a folder and those above it, one by one: Node's own recursive mkdir never returns where a file system refuses (under /proc). */
function makeFolder(dir: string): void {
  if (existsSync(dir)) return;
  makeFolder(path.dirname(dir));
  try {
    mkdirSync(dir);
  } catch (error) {
    if (codeOf(error) === "EEXIST") return;
    throw new FileError(dir, `the folder cannot be made (${codeOf(error)}); choose another with --out`, {
      cause: error,
    });
  }
}

/** Lines of a log; a last line that was cut off by a kill is left out. */
function readLog(file: string): Record<string, unknown>[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        const value: unknown = JSON.parse(line);
        return typeof value === "object" && value !== null ? [value as Record<string, unknown>] : [];
      } catch {
        return [];
      }
    });
}
