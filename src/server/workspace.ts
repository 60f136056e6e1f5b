/** Folder of a studio: its lock, its history, and the files of saved images. */
import { createHash, randomUUID } from "node:crypto";
import { readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { codeOf, FileError, RequestError } from "../errors.js";
import { makeFolder, removePartials, tryLock, writeWhole } from "../files/index.js";
import { type History, type ImageRecord, isFull, openHistory } from "./history.js";

export interface NewImage extends Pick<ImageRecord, "run" | "prompt" | "seed" | "width" | "height"> {
  readonly png: Uint8Array;
}

export interface Workspace {
  readonly folder: string;
  readonly history: History;
  /**
   * Saves images: first their files, at the same time, then their rows in one transaction, in order. They are kept from the moment in which
   * this returns. Where a file cannot be written, the images before it are saved.
   */
  save(images: readonly NewImage[]): Promise<{ readonly images: readonly ImageRecord[]; readonly error: unknown }>;
  /** The PNG file of an image in the history. @throws FileError when it is gone */
  read(id: string): Promise<Uint8Array>;
  /** Removes a run, its images and their files. */
  removeRun(id: string): Promise<void>;
  close(): Promise<void>;
}

const ADVICE = "choose another --workspace";

/**
 * Opens a workspace, created if it does not exist. Image files without a row, which a killed process may leave, are removed.
 * @throws RequestError when another process has it open; FileError and MachineError when it cannot be written
 */
export async function openWorkspace(folder: string): Promise<Workspace> {
  const images = path.join(folder, "images");
  await makeFolder(images, ADVICE);
  const attempt = await tryLock(path.join(folder, "lock")).catch((error: unknown) => {
    throw new FileError(folder, `cannot be locked (${codeOf(error)}); ${ADVICE}`, { cause: error });
  });
  if ("holder" in attempt) throw taken(folder, attempt.holder);
  try {
    const history = openHistory(path.join(folder, "history.db"));
    const fileOf = (id: string) => path.join(images, `${id}.png`);
    await tidy(images, history);
    return {
      folder,
      history,
      async save(all) {
        const made = all.map(({ png, ...facts }) => ({
          ...{ id: randomUUID(), ...facts, bytes: png.length, favourite: false, created: new Date().toISOString() },
          sha256: createHash("sha256").update(png).digest("hex"),
        }));
        const written = await Promise.allSettled(
          all.map(({ png }, i) => writeWhole(fileOf(made[i]?.id ?? ""), png, "start with another --workspace")),
        );
        const failed = written.find((result) => result.status === "rejected");
        const images = failed ? made.slice(0, written.indexOf(failed)) : made;
        for (const { id } of made.slice(images.length)) await rm(fileOf(id), { force: true });
        history.addImages(images);
        return { images, error: failed?.reason ?? null };
      },
      async read(id) {
        return readFile(fileOf(id)).catch((error: unknown) => {
          throw new FileError(fileOf(id), `the file of this image cannot be read (${codeOf(error)})`, { cause: error });
        });
      },
      async removeRun(id) {
        const removed = history.imagesOf(id);
        history.removeRun(id);
        for (const image of removed) await rm(fileOf(image.id), { force: true });
      },
      async close() {
        history.close();
        // On a full disk the lock stays. It is that of a process that is gone, which the next start takes over.
        await attempt.release().catch((error: unknown) => {
          if (!isFull(error)) throw error;
        });
      },
    };
  } catch (error) {
    await attempt.release();
    throw error;
  }
}

function taken(
  folder: string,
  holder: { readonly host: string; readonly process: number; readonly since: string } | null,
) {
  const who = holder ? `process ${holder.process} on ${holder.host}, since ${holder.since}` : "another process";
  return new RequestError(`${folder} is open in another studio (${who}); ${ADVICE}, or end that one`, {
    field: "workspace",
  });
}

async function tidy(images: string, history: History): Promise<void> {
  await removePartials(images);
  const known = history.imageIds();
  for (const name of await readdir(images)) {
    const [, id = ""] = /^([0-9a-f-]{36})\.png$/.exec(name) ?? [];
    if (id !== "" && !known.has(id)) await rm(path.join(images, name), { force: true });
  }
}
