import { existsSync, lstatSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { FileError, RequestError } from "../../src/errors.js";
import {
  cachedRepositories,
  fetchReference,
  hubSettings,
  parseHubReference,
  removeCached,
} from "../../src/hub/index.js";
import { temporaryFolder } from "../support/folder.js";
import { startHub } from "../support/hub.js";

const [shared, own, small] = [Buffer.alloc(5000, 1), Buffer.alloc(3000, 2), Buffer.from("{}")];
const hub = await startHub({
  "a/one": {
    revisions: {
      main: { "config.json": small, "model.safetensors": shared },
      v1: { "config.json": Buffer.from("{ }"), "model.safetensors": shared, "old.safetensors": own },
    },
  },
  "b/two": { revisions: { main: { "x.txt": Buffer.from("hello") } } },
});

let cache = "";
let settings = hubSettings({});
const place = (ref: string) => parseHubReference(ref) ?? { id: "", revision: "", path: "" };
afterAll(() => hub.close());
beforeEach(async () => {
  cache = path.join(temporaryFolder(), "hub");
  settings = hubSettings({ HF_HOME: "/nowhere", HF_HUB_CACHE: cache, HF_ENDPOINT: hub.endpoint });
  for (const ref of ["a/one", "a/one@v1", "b/two"]) await fetchReference(place(ref), "file", { settings });
});

describe("the cache", () => {
  it("is listed by repository, revision and size", async () => {
    writeFileSync(path.join(cache, "models--b--two", "blobs", `${"0".repeat(40)}.incomplete`), "12345");
    mkdirSync(path.join(cache, "datasets--c--three"));
    const [one, two, ...more] = await cachedRepositories(settings);
    expect(more).toEqual([]);
    expect(one).toMatchObject({ id: "a/one", bytes: 5000 + 3000 + 2 + 3, unfinished: 0 });
    const v1 = { commit: hub.commit("a/one", "v1"), refs: ["v1"], files: 3, bytes: 8003 };
    const main = { commit: hub.commit("a/one"), refs: ["main"], files: 2, bytes: 5002 };
    expect(one?.revisions).toEqual([main, v1].sort((a, b) => (a.commit < b.commit ? -1 : 1)));
    expect(two).toMatchObject({ id: "b/two", bytes: 10, unfinished: 5 });
    expect(Date.now() - Date.parse(one?.used ?? "")).toBeLessThan(60_000);
  });
  it("that is not there is empty", async () => {
    expect(await cachedRepositories({ ...settings, cache: "/nowhere" })).toEqual([]);
  });
});

describe("removing", () => {
  const paths = () => path.join(cache, "models--a--one");
  it("a revision leaves what another shares", async () => {
    const kept = path.join(paths(), "snapshots", hub.commit("a/one"), "model.safetensors");
    const planned = await removeCached(place("a/one@v1"), { revision: true, dryRun: true, settings });
    expect(planned.freed).toBe(3003);
    expect(existsSync(path.join(paths(), "refs", "v1"))).toBe(true);
    expect((await removeCached(place("a/one@v1"), { revision: true, settings })).freed).toBe(3003);
    expect(lstatSync(realpathSync(kept)).size).toBe(5000);
    expect(readdirSync(path.join(paths(), "blobs"))).toHaveLength(2);
    expect(readdirSync(path.join(paths(), "snapshots"))).toEqual([hub.commit("a/one")]);
    expect(existsSync(path.join(paths(), "refs", "v1"))).toBe(false);
  });
  it("a repository leaves nothing of it, and the others", async () => {
    expect((await removeCached(place("a/one"), { settings })).freed).toBe(8005);
    expect(readdirSync(cache).sort()).toEqual([".locks", "models--b--two"]);
    expect(readdirSync(path.join(cache, ".locks"))).toEqual(["models--b--two"]);
  });
  it("what is not cached is refused with what is", async () => {
    await expect(removeCached(place("c/three"), { settings })).rejects.toMatchObject({
      file: "c/three",
      problem: expect.stringMatching(/a\/one, b\/two/),
    });
    await expect(removeCached(place("a/one@v9"), { revision: true, settings })).rejects.toThrow(FileError);
    await expect(removeCached(place("a/one:unet"), { settings })).rejects.toThrow(RequestError);
  });
});
