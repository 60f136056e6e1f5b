import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { place } from "../../../src/runtime/node/placement.js";
import type { StoredBytes } from "../../../src/tensor/index.js";

/** Four bytes of a file that is never read. */
const inFile = (file: string): StoredBytes => ({
  in: "source",
  source: { name: file, path: file, size: 16, read: () => Promise.reject(new Error("not asked for")) },
  offset: 8,
  length: 4,
});
/** A part of ten bytes 0, 1, 2 … that are no file. */
const elsewhere = (offset: number, length: number): StoredBytes => ({
  in: "source",
  source: ELSEWHERE,
  offset,
  length,
});
const ELSEWHERE = {
  name: "https://example.org/w",
  size: 10,
  read: async (from: number, n: number) => Uint8Array.from({ length: n }, (_, i) => from + i),
};
const inMemory = (...bytes: number[]): StoredBytes => ({
  in: "memory",
  source: { name: "turned" },
  bytes: Uint8Array.from(bytes),
});
const weights = (named: Record<string, StoredBytes>) => new Map(Object.entries(named));

describe("weights in files", () => {
  it.each([
    ["/models/unet/a.safetensors", "/", "models/unet/a.safetensors"],
    // Elsewhere than on Windows a backslash is part of a name.
    ["/models/odd\\name", "/", "models/odd\\name"],
    ["C:\\models\\unet\\a.safetensors", "C:\\", "models/unet/a.safetensors"],
    ["d:/models/a.safetensors", "D:\\", "models/a.safetensors"],
    ["\\\\nas\\share\\sd\\a.safetensors", "\\\\NAS\\SHARE\\", "sd/a.safetensors"],
    ["\\\\?\\C:\\models\\a.safetensors", "\\\\?\\C:\\", "models/a.safetensors"],
  ])("%s is %s and %s", async (file, folder, location) => {
    expect(await place(weights({ w: inFile(file) }))).toEqual({
      folder,
      placed: new Map([["w", { location, offset: 8, length: 4 }]]),
      buffers: [],
      own: [],
    });
  });

  it("on Windows, folder and location give the path again, and no location is absolute", async () => {
    const name = fc.stringMatching(/^[a-z0-9 ._é-]{0,6}[a-z]$/);
    const root = fc.constantFrom("C:\\", "z:\\", "Q:/", "\\\\nas\\models\\");
    await fc.assert(
      fc.asyncProperty(root, fc.array(name, { minLength: 1, maxLength: 4 }), async (root, names) => {
        const file = root + names.join("\\");
        const { folder, placed } = await place(weights({ w: inFile(file) }));
        const at = placed.get("w");
        const location = at && "location" in at ? at.location : "";
        expect(path.win32.isAbsolute(location)).toBe(false);
        expect(path.win32.resolve(folder ?? "", location).toLowerCase()).toBe(path.win32.normalize(file).toLowerCase());
      }),
    );
  });

  it("may not lie on two drives, but a drive's letter may be written either way", async () => {
    const two = (a: string, b: string) => place(weights({ a: inFile(a), b: inFile(b) }));
    await expect(two("C:\\a.safetensors", "D:\\b.safetensors")).rejects.toThrow(RangeError);
    expect((await two("C:\\a.safetensors", "c:/b.safetensors")).folder).toBe("C:\\");
    await expect(place(weights({ w: inFile("models/a.safetensors") }))).rejects.toThrow(RangeError);
  });
});

describe("weights that are in no file", () => {
  it("are buffers, those of a source in one read", async () => {
    const { folder, placed, buffers, own } = await place(
      weights({ a: elsewhere(6, 2), m: inMemory(7, 8, 9), b: elsewhere(1, 3) }),
    );
    expect(folder).toBeNull();
    const found = new Map(
      [...placed].map(([name, at]) => {
        const buffer = "location" in at ? buffers.find((b) => b.path === at.location) : undefined;
        return [name, "location" in at ? [...(buffer?.data.subarray(at.offset, at.offset + at.length) ?? [])] : []];
      }),
    );
    expect(found).toEqual(
      new Map([
        ["m", [7, 8, 9]],
        ["b", [1, 2, 3]],
        ["a", [6, 7]],
      ]),
    );
    expect(buffers.map(({ data }) => data.length).sort()).toEqual([3, 7]);
    // Those in memory belong to the checkpoint and stay with it.
    expect(own.map((buffer) => buffer.byteLength)).toEqual([7]);
  });

  it("lie in the model beside mapped files", async () => {
    const { folder, placed, buffers } = await place(
      weights({ f: inFile("/w.safetensors"), m: inMemory(7, 8), u: elsewhere(4, 3) }),
    );
    expect(folder).toBe("/");
    expect(buffers).toEqual([]);
    expect(placed).toEqual(
      new Map([
        ["f", { location: "w.safetensors", offset: 8, length: 4 }],
        ["m", { raw: Uint8Array.of(7, 8) }],
        ["u", { raw: Uint8Array.of(4, 5, 6) }],
      ]),
    );
  });

  it("are read with all others where they are too large for the model", async () => {
    const file: StoredBytes = {
      ...inFile("/w"),
      in: "source",
      source: { ...ELSEWHERE, path: "/w" },
      offset: 2,
      length: 2,
    };
    const { folder, placed, buffers } = await place(weights({ file, m: inMemory(7, 8) }), { inside: 1 });
    expect(folder).toBeNull();
    expect([...placed.values()].every((at) => "location" in at)).toBe(true);
    expect(buffers.map(({ data }) => [...data])).toEqual([
      [7, 8],
      [2, 3],
    ]);
  });
});
