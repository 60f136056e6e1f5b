import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { fetchReference, hubSettings } from "../../src/hub/index.js";
import { temporaryFolder } from "../support/folder.js";
import { blobName, startHub } from "../support/hub.js";

const entry = z.union([
  z.object({ link: z.string() }),
  z.object({ text: z.string() }),
  z.object({ bytes: z.number() }),
]);
const golden = z
  .object({
    id: z.string(),
    commit: z.string(),
    revisions: z.array(z.string()),
    files: z.record(z.string(), z.string()),
    layout: z.record(z.string(), entry),
  })
  .parse(JSON.parse(readFileSync(new URL("../goldens/hub.json", import.meta.url), "utf8")));
const files = Object.fromEntries(Object.entries(golden.files).map(([k, v]) => [k, Buffer.from(v, "latin1")]));
const hub = await startHub({
  [golden.id]: { revisions: Object.fromEntries(golden.revisions.map((name) => [name, files])) },
});
afterAll(() => hub.close());

function layoutOf(folder: string): typeof golden.layout {
  const found: typeof golden.layout = {};
  for (const e of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const place = path.join(e.parentPath, e.name);
    const name = path.relative(folder, place).split(path.sep).join("/");
    if (e.isSymbolicLink()) found[name] = { link: readlinkSync(place) };
    else if (e.isFile())
      found[name] = name.startsWith("refs/") ? { text: readFileSync(place, "utf8") } : { bytes: lstatSync(place).size };
  }
  return found;
}

describe("the cache of Python's library", () => {
  const folder = `models--${golden.id.replace("/", "--")}`;
  it("is what we write", async () => {
    const cache = temporaryFolder();
    const settings = hubSettings({ HF_HOME: "/nowhere", HF_HUB_CACHE: cache, HF_ENDPOINT: hub.endpoint });
    for (const revision of golden.revisions)
      await fetchReference({ id: golden.id, revision, path: "" }, "file", { settings });
    const ours = JSON.stringify(layoutOf(path.join(cache, folder))).replaceAll(hub.commit(golden.id), golden.commit);
    expect(JSON.parse(ours)).toEqual(golden.layout);
  });

  it("is what we read, without a network", async () => {
    const cache = temporaryFolder();
    for (const [name, what] of Object.entries(golden.layout)) {
      const place = path.join(cache, folder, name);
      mkdirSync(path.dirname(place), { recursive: true });
      const held = Object.entries(files).find(([file, bytes]) => name === `blobs/${blobName(file, bytes)}`)?.[1];
      if ("link" in what) symlinkSync(what.link, place);
      else writeFileSync(place, "text" in what ? what.text : (held ?? ""));
    }
    const settings = hubSettings({ HF_HOME: "/nowhere", HF_HUB_CACHE: cache, HF_HUB_OFFLINE: "1" });
    for (const revision of [...golden.revisions, golden.commit]) {
      const place = await fetchReference({ id: golden.id, revision, path: "" }, "unet", { settings });
      for (const [name, bytes] of Object.entries(files))
        expect(readFileSync(path.join(place, name)).equals(bytes)).toBe(true);
    }
  });
});
