import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { FileError, RequestError } from "../../src/errors.js";
import { openWorkspace } from "../../src/server/workspace.js";
import { temporaryFolder } from "../support/folder.js";

const SAVER = fileURLToPath(new URL("../support/saver.mjs", import.meta.url));
/** A kill takes half a second. It was run with 50. */
const KILLS = 5;
const run = (id: string, state: "done" | "running" = "done") => ({
  ...{ id, client: "c", created: "2026-01-01", state, error: null },
  request: { prompts: ["a fox"], seeds: [3] },
});
const png = (text: string) => Buffer.from(text);
const record = z.object({ id: z.string(), seed: z.number() });
const saved = z.tuple([record, record]);
const facts = { run: "1", prompt: 0, seed: 3, width: 6, height: 4 };

describe("a workspace", () => {
  it("keeps runs, images and favourites", async () => {
    const folder = temporaryFolder();
    const first = await openWorkspace(folder);
    for (const id of ["1", "2", "3"]) first.history.addRun(run(id, id === "3" ? "running" : "done"));
    const { images } = await first.save([
      { ...facts, png: png("one") },
      { ...facts, seed: 4, png: png("another") },
    ]);
    const [a, b] = saved.parse(images);
    first.history.setFavourite(b.id, true);
    first.history.setState("2", "failed", { message: "no", field: "seeds" });
    await first.close();

    const second = await openWorkspace(folder);
    const { history } = second;
    expect(history.runs({ limit: 2 }).map((r) => [r.id, r.state])).toEqual([
      ["3", "interrupted"],
      ["2", "failed"],
    ]);
    expect(history.runs({ limit: 9, before: "2" })).toEqual([run("1")]);
    expect(history.run("2")?.error).toEqual({ message: "no", field: "seeds" });
    expect(history.imagesOf("1")).toEqual([images[0], { ...images[1], favourite: true }]);
    expect(history.favourites({ limit: 5 }).map(({ id }) => id)).toEqual([b.id]);
    expect(Buffer.from(await second.read(a.id)).toString()).toBe("one");
    expect([history.run("9"), history.image("9")]).toEqual([null, null]);
    await second.removeRun("1");
    expect([history.image(a.id), history.run("1"), readdirSync(path.join(folder, "images"))]).toEqual([null, null, []]);
    await second.close();
  });

  it("has no row of an image whose file cannot be written, and says why", async () => {
    const folder = temporaryFolder();
    const workspace = await openWorkspace(folder);
    workspace.history.addRun(run("1"));
    rmSync(path.join(folder, "images"), { recursive: true });
    const { images, error } = await workspace.save([{ ...facts, png: png("one") }]);
    expect([images, error]).toEqual([[], expect.any(FileError)]);
    expect(workspace.history.imagesOf("1")).toEqual([]);
    await workspace.close();
  });

  it("is refused while it is open, with the process that has it", async () => {
    const folder = temporaryFolder();
    const open = await openWorkspace(folder);
    const again = openWorkspace(folder);
    await expect(again).rejects.toThrow(RequestError);
    await expect(again).rejects.toThrow(`process ${process.pid} on `);
    await open.close();
    await (await openWorkspace(folder)).close();
  });

  it("removes files that no row names, and reports a file that is gone", async () => {
    const folder = temporaryFolder();
    const first = await openWorkspace(folder);
    first.history.addRun(run("1"));
    const { images } = await first.save([{ ...facts, png: png("one") }]);
    const [image] = z.tuple([record]).parse(images);
    await first.close();
    const stray = path.join(folder, "images", "00000000-0000-4000-8000-000000000000.png");
    writeFileSync(stray, "half");
    const second = await openWorkspace(folder);
    expect(existsSync(stray)).toBe(false);
    expect(Buffer.from(await second.read(image.id)).toString()).toBe("one");
    const gone = second.read("11111111-1111-4111-8111-111111111111");
    await expect(gone).rejects.toThrow(FileError);
    await second.close();
  });

  it.each([["text", "not a database, but long enough to be read as one".repeat(40)]])(
    "refuses a history that is %s",
    async (_, content) => {
      const folder = temporaryFolder();
      writeFileSync(path.join(folder, "history.db"), content);
      const opened = openWorkspace(folder);
      await expect(opened).rejects.toThrow(FileError);
      await expect(opened).rejects.toThrow(/history\.db: is not a history of the studio: .*choose another --workspace/);
    },
  );

  it("has every image that it said was saved, killed again and again while it saves", {
    timeout: 240_000,
  }, async () => {
    const folder = temporaryFolder();
    const saved = new Map<string, string>();
    for (let kill = 0; kill < KILLS; kill++) {
      const child = spawn(process.execPath, [SAVER, folder, `${kill}`], { stdio: ["ignore", "pipe", "inherit"] });
      let text = "";
      child.stdout.on("data", (part) => {
        text += part;
      });
      await once(child.stdout, "data");
      // Up to the time of several images: anywhere in writing, renaming, the database's log and its checkpoints.
      await sleep((kill * 7919) % 41);
      child.kill("SIGKILL");
      await once(child, "close");
      for (const line of text.split("\n").slice(0, -1)) {
        const [id = "", sha256 = ""] = line.split(" ");
        saved.set(id, sha256);
      }
    }
    expect(saved.size).toBeGreaterThanOrEqual(KILLS);
    const { history, read, close } = await openWorkspace(folder);
    for (const [id, sha256] of saved) {
      expect(history.image(id)?.sha256).toBe(sha256);
      expect(
        createHash("sha256")
          .update(await read(id))
          .digest("hex"),
      ).toBe(sha256);
    }
    // Each process may have saved one more that it did not live to print.
    const kept = history.imageIds();
    expect(kept.size - saved.size).toBeLessThanOrEqual(KILLS);
    expect(new Set(readdirSync(path.join(folder, "images")))).toEqual(new Set([...kept].map((id) => `${id}.png`)));
    expect(history.runs({ limit: 200 }).map(({ state }) => state)).toEqual(Array(KILLS).fill("interrupted"));
    await close();
  });
});
