import { mkdirSync, realpathSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { openFile } from "../../../src/checkpoint/node/index.js";
import { FileError } from "../../../src/errors.js";
import { temporaryFolder } from "../../support/folder.js";

const folder = temporaryFolder();
const at = (name: string) => path.join(folder, name);

describe("a local file", () => {
  it("has the name it was given and the path where it lies", async () => {
    writeFileSync(at("blob"), "0123456789");
    symlinkSync("blob", at("model.safetensors"));
    const source = await openFile(at("model.safetensors"));
    expect(source).toMatchObject({ name: at("model.safetensors"), path: realpathSync(at("blob")), size: 10 });
    expect(Buffer.from(await source.read(3, 4)).toString()).toBe("3456");
  });

  it("may be larger than 2^32 bytes", async () => {
    writeFileSync(at("sparse"), "");
    // A hole takes no room on the disk.
    truncateSync(at("sparse"), 2 ** 32 - 1);
    writeFileSync(at("sparse"), "last", { flag: "a" });
    const source = await openFile(at("sparse"));
    expect(source.size).toBe(2 ** 32 + 3);
    expect(Buffer.from(await source.read(2 ** 32 - 2, 5)).toString("latin1")).toBe("\0last");
    await expect(source.read(2 ** 32, 4)).rejects.toBeInstanceOf(FileError);
  });

  it("is refused where it is not there, is a folder, or has become shorter or gone", async () => {
    mkdirSync(at("folder"));
    await expect(openFile(at("gone"))).rejects.toMatchObject({ name: "FileError", file: at("gone") });
    await expect(openFile(at("folder"))).rejects.toMatchObject({ name: "FileError", file: at("folder") });
    writeFileSync(at("cut"), "0123456789");
    const source = await openFile(at("cut"));
    truncateSync(at("cut"), 4);
    await expect(source.read(2, 6)).rejects.toMatchObject({ name: "FileError", file: at("cut") });
    rmSync(at("cut"));
    await expect(source.read(2, 6)).rejects.toMatchObject({ name: "FileError", file: at("cut") });
  });
});
