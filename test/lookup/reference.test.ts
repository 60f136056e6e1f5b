import { existsSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FileError, RequestError } from "../../src/errors.js";
import { locate, resolveReference } from "../../src/lookup/index.js";
import { temporaryFolder } from "../support/folder.js";

const folder = temporaryFolder();
Object.assign(process.env, { HF_HOME: folder, HF_HUB_OFFLINE: "1" });
afterAll(() => {
  for (const name of ["HF_HOME", "HF_HUB_OFFLINE"]) delete process.env[name];
});

describe("a reference", () => {
  it("is something of the package, a path, or an adapter by a part of its name", async () => {
    expect(await locate("embedded:base", "pipeline")).toBe(resolveReference("embedded:base"));
    expect(await locate(folder, "pipeline")).toBe(folder);
    const smile = await locate("smile.base", "adapter");
    expect(path.basename(smile)).toBe("smile.base.safetensors");
    expect(existsSync(smile)).toBe(true);
  });
  it("that could be several is refused with them", async () => {
    await expect(locate("smile", "adapter")).rejects.toThrow(RequestError);
    await expect(locate("smile", "adapter")).rejects.toThrow(/smile\.base\.safetensors or .*smile\.distilled/);
  });
  it("that is nothing says where it was looked for", async () => {
    await expect(locate("unheard-of", "adapter")).rejects.toThrow(FileError);
    await expect(locate("unheard-of", "adapter")).rejects.toThrow(
      /^unheard-of: there is no such file or folder, and no adapter of the package has it in its name .*, and it is no name on the Hub/,
    );
    await expect(locate("/no/where", "pipeline")).rejects.toThrow(/there is no such file or folder, and it is no name/);
    await expect(locate("owner/name", "pipeline")).rejects.toThrow(
      /^owner\/name: there is no such file or folder, and as a Hub id it is not in the cache .* HF_HUB_OFFLINE is set/,
    );
  });
});
