import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FileError, MachineError, RequestError } from "../../src/errors.js";
import { explained, removePartials, writeAll, writeWhole } from "../../src/files/index.js";
import { temporaryFolder } from "../support/folder.js";

const WRITER = fileURLToPath(new URL("../support/writer.ts", import.meta.url));

/** Ends when the process has; fulfilled with its exit code. */
const writer = (...args: string[]) =>
  new Promise<number | null>((resolve) => {
    spawn(process.execPath, ["--import", "tsx", WRITER, ...args], { stdio: ["ignore", "ignore", "inherit"] }).on(
      "exit",
      resolve,
    );
  });
const fresh = () => path.join(temporaryFolder(), "file");
const nothingBeside = (file: string) => expect(readdirSync(path.dirname(file))).toEqual([path.basename(file)]);

describe("writeWhole", () => {
  it("leaves one of two contents, whole, when two calls write the same file at once", async () => {
    const file = fresh();
    const contents = [Buffer.alloc(2_000_003, 1), Buffer.alloc(1_000_001, 2)];
    for (let round = 0; round < 5; round++) {
      await Promise.all(contents.map((bytes) => writeWhole(file, bytes)));
      const found = readFileSync(file);
      expect(contents.some((bytes) => bytes.equals(found))).toBe(true);
    }
    nothingBeside(file);
  });

  it("leaves a whole file at every moment while several processes write it", async () => {
    const file = fresh();
    await writeWhole(file, Buffer.alloc(1000, 9));
    // Process n writes (n + 1) × 100,003 bytes of the value n, twenty times.
    const writers = [0, 1, 2].map((n) => writer(file, String(n), String((n + 1) * 100_003), "20"));
    let running = true;
    const ended = Promise.all(writers).finally(() => {
      running = false;
    });
    const seen = new Set<number>();
    while (running) {
      const found = readFileSync(file);
      const [value = -1] = found;
      expect(found.length).toBe(value === 9 ? 1000 : (value + 1) * 100_003);
      expect(found.every((byte) => byte === value)).toBe(true);
      seen.add(value);
      await new Promise(setImmediate);
    }
    expect(await ended).toEqual([0, 0, 0]);
    expect(seen.size).toBeGreaterThan(1);
    nothingBeside(file);
  });

  it("streams: what the pieces are makes no difference to the file", async () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 500 }), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(pieces, async (parts) => {
        const file = fresh();
        await writeWhole(file, async (sink) => {
          for (const part of parts) await sink.write(part);
        });
        expect(readFileSync(file).equals(Buffer.concat(parts))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it("keeps the old file when the new one cannot be made, and throws the maker's own error", async () => {
    const file = fresh();
    await writeWhole(file, Buffer.from("old"));
    const made = writeWhole(file, async (sink) => {
      await sink.write(Buffer.from("half"));
      throw new RequestError("no more");
    });
    await expect(made).rejects.toBeInstanceOf(RequestError);
    expect(readFileSync(file, "utf8")).toBe("old");
    nothingBeside(file);
  });

  it("says which file cannot be written, and leaves nothing beside it", async () => {
    const folder = temporaryFolder();
    const missing = path.join(folder, "nowhere", "file");
    const error = await writeWhole(missing, Buffer.from("x")).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(FileError);
    expect(error).toMatchObject({ file: missing, message: expect.stringContaining("(ENOENT); choose another --out") });
    // A folder is in its place: the rename fails, after everything was written.
    mkdirSync(path.join(folder, "taken", "inside"), { recursive: true });
    await expect(writeWhole(path.join(folder, "taken"), Buffer.from("x"), "try elsewhere")).rejects.toThrow(
      "try elsewhere",
    );
    expect(readdirSync(folder)).toEqual(["taken"]);
  });

  it.skipIf(!existsSync("/dev/full"))("says that the disk is full, and what to do", async () => {
    const file = fresh();
    // Node's own error, from a device that is always full.
    const written = writeWhole(file, async () => {
      const handle = await open("/dev/full", "w");
      await writeAll(handle, Buffer.from("x")).finally(() => handle.close());
    });
    const full: unknown = await written.catch((error: unknown) => error);
    expect(full).toMatchObject({ code: "ENOSPC" });
    expect(explained(full, file, "cannot be written")).toBeInstanceOf(MachineError);
    expect(readdirSync(path.dirname(file))).toEqual([]);
  });
});

describe("removePartials", () => {
  const DEAD = 2 ** 22 + 1; // Linux gives no process a number above 2^22.
  const partial = (name: string, process: number) => `.${name}.${process}-0123abcd.partial`;

  it("removes temporary files of processes that are gone, and nothing else", async () => {
    const folder = temporaryFolder();
    const kept = ["a.png", "b.partial", partial("mine", process.pid), `.hidden.${DEAD}`].sort();
    for (const name of [...kept, partial("a.png", DEAD), partial("c.tar.gz", DEAD)])
      writeFileSync(path.join(folder, name), "x");
    await removePartials(folder);
    expect(readdirSync(folder).sort()).toEqual(kept);
  });

  it("removes those of one file where its name is given", async () => {
    const folder = temporaryFolder();
    for (const name of ["a", "a.b", "b"]) writeFileSync(path.join(folder, partial(name, DEAD)), "x");
    await removePartials(folder, "a");
    expect(readdirSync(folder).sort()).toEqual([partial("a.b", DEAD), partial("b", DEAD)].sort());
  });

  it("does nothing in a folder that is not there", async () => {
    await expect(removePartials(path.join(temporaryFolder(), "nowhere"))).resolves.toBeUndefined();
  });
});
