/** Output folder of one run: complete files, and a log of events. */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { codeOf, FileError, RequestError } from "../errors.js";
import { makeFolder, parseJson, removePartials, writeWhole } from "../files/index.js";

/** File of the run, as listed in run.json. */
export interface RunFile {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Images: SHA-256 of the pixels. */
  readonly pixels?: string | undefined;
}

/** A part of a run that ended: its images, and the time of each phase in milliseconds. */
export type PartTiming = z.output<typeof partSchema>;

export interface RunFolder {
  readonly dir: string;
  /** Files of an interrupted run with the size and hash of the log, by name; empty for a new run. */
  readonly kept: ReadonlyMap<string, RunFile>;
  /** Numbers of images and times of the parts of the run that have generated images of this mode to their end. */
  timings(mode: string): readonly PartTiming[];
  /** Seeds that an interrupted run has chosen, by prompt. */
  readonly chosen: ReadonlyMap<number, readonly number[]>;
  /** Duration of the run in seconds, with earlier parts of a resumed run up to their last logged event. */
  seconds(): number;
  /** Writes a file atomically, and creates its folders. */
  write(name: string, bytes: Uint8Array): Promise<RunFile>;
  /** Appends an event to events.jsonl, with the duration so far. Logged files are kept when the run is resumed. */
  log(event: Readonly<Record<string, unknown>>): void;
}

export interface FolderOptions {
  readonly out?: string | undefined;
  readonly force?: boolean | undefined;
}

/** Options of a command whose runs can be resumed. */
export interface ResumeOptions extends FolderOptions {
  readonly resume?: boolean | undefined;
}

const LOG = "events.jsonl";
/** Logs of this process's runs that have logged nothing yet. */
const unused = new Set<string>();

/** A run that failed before it made anything, such as on a device that is not there, leaves its folder to the next. */
function freeUnused(code: number): void {
  if (code === 0 || code === INTERRUPTED) return;
  for (const file of unused) rmSync(file, { force: true });
}

/** Exit code of an interrupted run: its seeds, which may have been drawn at random, stay in the log. */
const INTERRUPTED = 130;

const lineSchema = z.record(z.string(), z.unknown());
const fileSchema = z.object({ file: z.string(), bytes: z.number(), sha256: z.string(), pixels: z.string().optional() });
const firstSchema = z.object({ id: z.string() });
const phases = z.object({ encode: z.number(), denoise: z.number(), decode: z.number() });
const partSchema = z.object({ type: z.literal("done"), mode: z.string(), images: z.number(), milliseconds: phases });
const chosenSchema = z.object({ type: z.literal("chosen"), prompt: z.number(), seeds: z.array(z.number()) });
const timedSchema = z.object({ seconds: z.number() });

/** Opens a folder for a new run, described by `identity`. Refuses a folder that holds a run, unless `force` replaces it. */
export async function openRunFolder(command: string, identity: unknown, o: FolderOptions): Promise<RunFolder> {
  const dir = folderOf(command, o);
  const past = await readPast(dir, o);
  if (past.length > 0) throw occupied(dir, []);
  return begin(dir, command, identity, past);
}

/** Opens a folder for a run that may be resumed: with `resume`, a run of the same identity continues and keeps its intact files. */
export async function openResumableFolder(command: string, identity: unknown, o: ResumeOptions): Promise<RunFolder> {
  const dir = folderOf(command, o);
  const past = await readPast(dir, o);
  if (past.length > 0 && !o.resume) throw occupied(dir, ["--resume continues it"]);
  if (past.length > 0 && firstSchema.safeParse(past[0]).data?.id !== idOf(identity)) {
    throw new RequestError(
      `${dir} holds a run with other options; --resume needs the same options, or choose another --out`,
    );
  }
  return begin(dir, command, identity, past);
}

const occupied = (dir: string, ways: readonly string[]): RequestError => {
  const all = [...ways, "--force replaces it", "--out chooses another folder"];
  return new RequestError(`${dir} already holds a run; ${all.join(", ")}`);
};

function folderOf(command: string, { out }: FolderOptions): string {
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");
  return path.resolve(out ?? path.join("out", `${command}-${time}`));
}

const hashOf = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");
const idOf = (identity: unknown): string => hashOf(JSON.stringify(identity)).slice(0, 16);

type Line = Readonly<Record<string, unknown>>;

/** Reads the log of a folder, and creates the folder if it does not exist. */
async function readPast(dir: string, { force }: FolderOptions): Promise<readonly Line[]> {
  const log = path.join(dir, LOG);
  await makeFolder(dir);
  await removePartials(dir);
  // compare writes the images of each mode to a folder below.
  for (const entry of await readdir(dir, { withFileTypes: true }))
    if (entry.isDirectory()) await removePartials(path.join(dir, entry.name));
  if (!existsSync(log)) return [];
  if (!force) return readLog(log);
  await rm(log);
  return [];
}

async function begin(dir: string, command: string, identity: unknown, past: readonly Line[]): Promise<RunFolder> {
  const file = path.join(dir, LOG);
  const start = performance.now();
  const before = Math.max(0, ...past.flatMap((line) => timedSchema.safeParse(line).data?.seconds ?? []));
  const seconds = () => before + (performance.now() - start) / 1000;
  const append = (text: string) => {
    try {
      appendFileSync(file, text);
    } catch (error) {
      throw new FileError(file, `cannot be written (${codeOf(error)})`, { cause: error });
    }
  };
  const parts = past.flatMap((line) => partSchema.safeParse(line).data ?? []);
  const log = (event: Line) => {
    unused.delete(file);
    append(`${JSON.stringify({ ...event, seconds: seconds() })}\n`);
    parts.push(...(partSchema.safeParse(event).data ? [partSchema.parse(event)] : []));
  };
  // A killed run may leave a partial last line.
  if (existsSync(file) && !readFileSync(file, "utf8").endsWith("\n")) append("\n");
  if (past.length === 0) {
    log({ type: "run", id: idOf(identity), command, request: identity });
    unused.add(file);
    if (process.listeners("exit").every((listener) => listener !== freeUnused)) process.on("exit", freeUnused);
  }
  return {
    dir,
    kept: await intactFiles(dir, past),
    chosen: new Map(
      past.flatMap((line) => {
        const { data } = chosenSchema.safeParse(line);
        return data ? [[data.prompt, data.seeds] as const] : [];
      }),
    ),
    timings: (mode) => parts.filter((part) => part.mode === mode),
    seconds,
    log,
    async write(name, bytes) {
      const target = path.join(dir, name);
      await makeFolder(path.dirname(target));
      await writeWhole(target, bytes);
      return { file: name, bytes: bytes.length, sha256: hashOf(bytes) };
    },
  };
}

/** Logged files whose size and hash are those of their last entry. */
async function intactFiles(dir: string, past: readonly Line[]): Promise<ReadonlyMap<string, RunFile>> {
  const logged = new Map(past.flatMap((line) => fileSchema.safeParse(line).data ?? []).map((f) => [f.file, f]));
  const intact = new Map<string, RunFile>();
  for (const [name, file] of logged) if (await isIntact(path.join(dir, name), file)) intact.set(name, file);
  return intact;
}

async function isIntact(file: string, { bytes, sha256 }: RunFile): Promise<boolean> {
  try {
    return (await stat(file)).size === bytes && hashOf(await readFile(file)) === sha256;
  } catch {
    return false;
  }
}

/** Lines of a log, without a partial last line. */
const readLog = (file: string): Line[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .flatMap((text) => {
      const line = lineSchema.safeParse(parseJson(text));
      return line.success ? [line.data] : [];
    });
