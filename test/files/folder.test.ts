import { symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { isFolder } from "../../src/files/index.js";
import { temporaryFolder } from "../support/folder.js";

describe("isFolder", () => {
  it("is true for folders and links to them, false for files, for nothing, and below a file", () => {
    const folder = temporaryFolder();
    const at = (name: string) => path.join(folder, name);
    writeFileSync(at("file"), "");
    symlinkSync(folder, at("link"));
    symlinkSync(at("gone"), at("broken"));
    expect([folder, at("link")].map(isFolder)).toEqual([true, true]);
    expect([at("file"), at("gone"), at("broken"), at("file/below")].map(isFolder)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});
