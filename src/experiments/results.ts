/**
 * Results of cells in a store that several machines write:
 *
 *     store.json       id of the store
 *     cells/ID.json    result of a cell; its presence says that the cell is finished
 *     samples/ID.json  thumbnails for the report
 *     images/ID/N.png  all images, where they are kept
 *     workers/ID.json  the workers that wrote here
 */
import { randomBytes } from "node:crypto";
import { z } from "zod";
import { FileError } from "../errors.js";
import { parseJson } from "../files/index.js";
import { openStore } from "../fleet/index.js";
import { type CellResult, resultSchema } from "./store.js";

export interface ResultStore {
  readonly address: string;
  /** Tells stores apart, also where several paths or URLs lead to one. */
  readonly id: string;
  /** Ids of finished cells. */
  finished(): Promise<Set<string>>;
  has(cell: string): Promise<boolean>;
  /** @throws FileError if it is missing or not a result */
  read(cell: string): Promise<CellResult>;
  /** Adds a file beside the results. One that is there stays as it is. */
  keep(name: string, bytes: Uint8Array): Promise<void>;
  /** Adds the result of a cell. False if it has one, which stays. */
  add(result: CellResult): Promise<boolean>;
  /** Null where there is none. */
  file(name: string): Promise<Uint8Array | null>;
  close(): Promise<void>;
}

const CELLS = "cells/";
const cellName = (id: string) => `${CELLS}${id}.json`;
const identity = z.object({ id: z.string().min(1) });
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

/** Opens a store, s3://… or a folder, and gives a new one its id. @throws FileError if it cannot be written */
export async function openResultStore(text: string): Promise<ResultStore> {
  const store = await openStore(text);
  const idOf = (bytes: Uint8Array | null) =>
    identity.safeParse(parseJson(Buffer.from(bytes ?? []).toString())).data?.id;
  let id = idOf(await store.read("store.json"));
  if (id === undefined) {
    await store.add("store.json", json({ id: randomBytes(6).toString("hex") }));
    id = idOf(await store.read("store.json"));
  }
  if (id === undefined) throw new FileError(`${store.address}/store.json`, "is not that of a store of results");
  return {
    address: store.address,
    id,
    async finished() {
      const names = await store.list(CELLS);
      return new Set(names.map((name) => name.slice(CELLS.length).replace(/\.json$/, "")));
    },
    has: async (cell) => (await store.read(cellName(cell))) !== null,
    async read(cell) {
      const bytes = await store.read(cellName(cell));
      const result = resultSchema.safeParse(parseJson(Buffer.from(bytes ?? []).toString()));
      if (result.success) return result.data;
      throw new FileError(
        `${store.address}/${cellName(cell)}`,
        bytes ? "is not the result of a cell; delete it" : "is missing",
      );
    },
    async keep(name, bytes) {
      await store.add(name, bytes);
    },
    add: (result) => store.add(cellName(result.cell), json(result)),
    file: (name) => store.read(name),
    close: () => store.close(),
  };
}
