import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { FileError, RequestError } from "../../src/errors.js";
import { lpipsFiles } from "../../src/open/instruments.js";
import { temporaryFolder } from "../support/folder.js";

describe("the files of LPIPS", () => {
  let root = "";
  beforeEach(() => {
    root = temporaryFolder();
  });
  const put = (...names: readonly string[]): string[] =>
    names.map((name) => {
      const file = path.join(root, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, "");
      return file;
    });

  it.each([
    ["alexnet.pth", "alex.pth"],
    ["a,b/alexnet.pth", "alex.pth"],
    ["alexnet.pth", "a,b/alex.pth"],
    ["a,b/alexnet,1.pth", "c,d/alex.pth"],
  ])("are %s and %s around a comma", async (trunk, heads) => {
    const files = put(trunk, heads);
    expect(await lpipsFiles(files.join(","))).toEqual(files);
  });

  it("may be one on disk and one that is not found, which is the one named", async () => {
    const [trunk = ""] = put("a,b/alexnet.pth");
    await expect(lpipsFiles(`${trunk},./nowhere.pth`)).rejects.toMatchObject({ file: "./nowhere.pth" });
  });

  it.each(["weights", "weights, all", "weights.pth"])("are found in the folder %s", async (folder) => {
    const [trunk, heads] = put(`${folder}/vgg16-397923af.pth`, `${folder}/vgg.pth`);
    expect(await lpipsFiles(path.join(root, folder))).toEqual([trunk, heads]);
  });

  it("are refused where the commas could mean several pairs", async () => {
    const [a = "", c = ""] = put("a", "c");
    await expect(lpipsFiles(`${a},b,${c}`)).rejects.toThrow(RequestError);
  });

  it.each(["alexnet.pth", "alexnet.pth,", ",alex.pth", ","])("are refused as %j", async (ref) => {
    await expect(lpipsFiles(ref)).rejects.toThrow(RequestError);
  });

  it("are refused as a folder that lacks one", async () => {
    put("half/alexnet.pth");
    await expect(lpipsFiles(path.join(root, "half"))).rejects.toThrow(FileError);
  });
});
