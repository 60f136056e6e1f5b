/** History of a workspace in SQLite: runs and their saved images. Holds no pixels; those are files beside it. */
import { rmdirSync, statfsSync } from "node:fs";
import path from "node:path";
import sqlite from "node-sqlite3-wasm";
import { z } from "zod";
import { codeOf, FileError, MachineError, reasonOf } from "../errors.js";
import { parseJson } from "../files/index.js";

export const RUN_STATES = ["queued", "running", "done", "cancelled", "superseded", "failed", "interrupted"] as const;
export type RunState = (typeof RUN_STATES)[number];

/** Why a run failed. */
export const problemSchema = z.object({ message: z.string(), field: z.string().optional() });
export type Problem = z.output<typeof problemSchema>;

/** A run, without its images. */
export interface RunRecord {
  readonly id: string;
  readonly client: string;
  /** ISO 8601. */
  readonly created: string;
  readonly state: RunState;
  /** As it was posted: a later version may read other fields. */
  readonly request: Readonly<Record<string, unknown>>;
  readonly error: Problem | null;
}

/** A saved image of a run. */
export interface ImageRecord {
  readonly id: string;
  readonly run: string;
  /** Index into the prompts of the request. */
  readonly prompt: number;
  readonly seed: number;
  readonly width: number;
  readonly height: number;
  /** Size and SHA-256 of the PNG file. */
  readonly bytes: number;
  readonly sha256: string;
  readonly favourite: boolean;
  readonly created: string;
}

/** A part of a list, newest first. */
export interface Part {
  readonly limit: number;
  /** Id of the run or image after which the part begins. */
  readonly before?: string | undefined;
}

export interface History {
  addRun(run: RunRecord): void;
  setState(id: string, state: RunState, error: Problem | null): void;
  /** Adds images in one transaction. */
  addImages(images: readonly ImageRecord[]): void;
  setFavourite(id: string, favourite: boolean): void;
  run(id: string): RunRecord | null;
  runs(part: Part): RunRecord[];
  image(id: string): ImageRecord | null;
  /** Images of a run, in the order in which they were saved. */
  imagesOf(run: string): ImageRecord[];
  favourites(part: Part): ImageRecord[];
  /** Ids of all images. */
  imageIds(): Set<string>;
  /** Removes a run and its images. */
  removeRun(id: string): void;
  close(): void;
}

/** Number of the table layout. */
const LAYOUT = 1;

const TABLES = `
  CREATE TABLE run (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, client TEXT NOT NULL, created TEXT NOT NULL, state TEXT NOT NULL,
    request TEXT NOT NULL, error TEXT
  );
  CREATE TABLE image (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, run TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    prompt INTEGER NOT NULL, seed INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL, favourite INTEGER NOT NULL, created TEXT NOT NULL
  );
  CREATE INDEX image_run ON image (run);
  PRAGMA user_version = ${LAYOUT};
`;

const json = z.string().transform(parseJson);
const runRow = z.object({
  ...{ id: z.string(), client: z.string(), created: z.string(), state: z.enum(RUN_STATES) },
  request: json.pipe(z.record(z.string(), z.unknown())),
  error: json.pipe(problemSchema).nullable(),
});
const imageRow = z.object({
  ...{ id: z.string(), run: z.string(), prompt: z.number(), seed: z.number(), width: z.number(), height: z.number() },
  ...{ bytes: z.number(), sha256: z.string(), favourite: z.number().transform(Boolean), created: z.string() },
});
const versionRow = z.object({ user_version: z.number() });
const idRow = z.object({ id: z.string() });

/**
 * Opens the history in a file, and creates it if there is none. The caller holds the lock of the workspace. Runs that a killed process
 * left queued or running become `interrupted`.
 * @throws FileError when the file is not a history, is damaged, or was written by a newer version
 */
export function openHistory(file: string): History {
  const db = open(file);
  const write = (sql: string, values: (string | number | boolean | null)[]): void => {
    try {
      db.run(sql, values);
    } catch (error) {
      const advice = "make room on the disk, or start with another --workspace";
      const reason = hasRoom(file) ? reasonOf(error) : "the disk is full";
      throw new MachineError(`${file}: cannot be written: ${reason}; ${advice}`, { cause: error });
    }
  };
  /** Writes that are on the disk when they return. Others are there after them, or at the latest when the log is merged. */
  const durably = (writes: () => void): void => {
    db.exec("PRAGMA synchronous = FULL");
    try {
      writes();
    } finally {
      db.exec("PRAGMA synchronous = NORMAL");
    }
  };
  const transaction = (writes: () => void): void => {
    write("BEGIN", []);
    try {
      writes();
      write("COMMIT", []);
    } catch (error) {
      if (db.inTransaction) db.exec("ROLLBACK");
      throw error;
    }
  };
  const one = (sql: string, ...values: (string | number)[]) => db.get(sql, values);
  const newest = (sql: string, table: string, { limit, before }: Part) =>
    before === undefined
      ? db.all(`${sql} ORDER BY number DESC LIMIT ?`, [limit])
      : db.all(`${sql} AND number < (SELECT number FROM ${table} WHERE id = ?) ORDER BY number DESC LIMIT ?`, [
          before,
          limit,
        ]);
  return {
    addRun({ id, client, created, state, request, error }) {
      write("INSERT INTO run (id, client, created, state, request, error) VALUES (?, ?, ?, ?, ?, ?)", [
        ...[id, client, created, state, JSON.stringify(request), error && JSON.stringify(error)],
      ]);
    },
    setState(id, state, error) {
      write("UPDATE run SET state = ?, error = ? WHERE id = ?", [state, error && JSON.stringify(error), id]);
    },
    addImages(images) {
      const insert = ({ id, run, prompt, seed, width, height, bytes, sha256, favourite, created }: ImageRecord) =>
        write(
          `INSERT INTO image (id, run, prompt, seed, width, height, bytes, sha256, favourite, created)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          [id, run, prompt, seed, width, height, bytes, sha256, favourite, created],
        );
      durably(() => transaction(() => images.forEach(insert)));
    },
    setFavourite(id, favourite) {
      durably(() => write("UPDATE image SET favourite = ? WHERE id = ?", [favourite, id]));
    },
    run: (id) => runRow.nullable().parse(one("SELECT * FROM run WHERE id = ?", id)),
    runs: (part) => newest("SELECT * FROM run WHERE 1", "run", part).map((row) => runRow.parse(row)),
    image: (id) => imageRow.nullable().parse(one("SELECT * FROM image WHERE id = ?", id)),
    imagesOf: (run) =>
      db.all("SELECT * FROM image WHERE run = ? ORDER BY number", [run]).map((row) => imageRow.parse(row)),
    favourites: (part) =>
      newest("SELECT * FROM image WHERE favourite = 1", "image", part).map((row) => imageRow.parse(row)),
    imageIds: () => new Set(db.all("SELECT id FROM image").map((row) => idRow.parse(row).id)),
    removeRun(id) {
      durably(() => write("DELETE FROM run WHERE id = ?", [id]));
    },
    close() {
      try {
        db.close();
      } catch (error) {
        // On a full disk the write-ahead log cannot be merged. It keeps what was written, and the next start reads it.
        if (!isFull(error)) throw error;
      }
    },
  };
}

/** True for the system's error of a full disk. */
export const isFull = (error: unknown): boolean => ["ENOSPC", "EDQUOT"].includes(codeOf(error));

/** Bytes that a transaction may need. SQLite does not say whether a disk that it could not write is full. */
const TRANSACTION = 65_536;

function hasRoom(file: string): boolean {
  const { bavail, bsize } = statfsSync(path.dirname(file));
  return bavail * bsize >= TRANSACTION;
}

function open(file: string) {
  // The library's own lock is a folder, which a killed process leaves. The lock of the workspace is held, so no process has it now.
  try {
    rmdirSync(`${file}.lock`);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw new FileError(`${file}.lock`, `cannot be removed (${codeOf(error)})`);
  }
  let db: InstanceType<typeof sqlite.Database> | undefined;
  try {
    db = new sqlite.Database(file);
    // A write-ahead log, because version 0.8.60 takes its own lock for another process's and leaves a killed transaction half done
    // with a rollback journal. Without shared memory it needs exclusive locking, set before the first access.
    db.exec("PRAGMA locking_mode = EXCLUSIVE");
    db.exec("PRAGMA journal_mode = WAL");
    db.exec("PRAGMA synchronous = NORMAL");
    const { user_version: layout } = versionRow.parse(db.get("PRAGMA user_version"));
    if (layout > LAYOUT)
      throw new FileError(file, `was written by a newer version (layout ${layout}, expected ${LAYOUT})`);
    if (layout === 0) db.exec(`BEGIN; ${TABLES} COMMIT`);
    db.run("UPDATE run SET state = 'interrupted' WHERE state IN ('queued', 'running')");
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof FileError) throw error;
    throw new FileError(file, `is not a history of the studio: ${reasonOf(error)}; choose another --workspace`, {
      cause: error,
    });
  }
}
