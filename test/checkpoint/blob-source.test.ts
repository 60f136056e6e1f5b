import { openAsBlob, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blobSource, readFloats, readWeights, safetensors } from "../../src/checkpoint/index.js";
import { FileError } from "../../src/errors.js";
import { createRng } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";

describe("a Blob", () => {
  it("gives any part of it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 50 }), fc.nat(50), fc.nat(50), async (bytes, a, b) => {
        const source = blobSource(new Blob([bytes.slice()]));
        const [from, to] = a < b ? [a, b] : [b, a];
        const read = source.read(from, to - from);
        if (to <= bytes.length) expect(await read).toEqual(bytes.slice(from, to));
        else await expect(read).rejects.toThrow(FileError);
      }),
    );
  });

  it("gives the weights of a checkpoint, under the name of the File", async () => {
    const tensor = createRng(1).randn([2, 3]);
    const file = new File([safetensors({ a: tensor }, { made: "here" }).slice()], "picked.safetensors");
    const { source, weights, metadata } = await readWeights(blobSource(file));
    expect({ source, metadata }).toEqual({ source: "picked.safetensors", metadata: { made: "here" } });
    const a = weights.get("a");
    expect(a && (await readFloats(a))).toEqual(tensor.data);
  });

  it("is refused where its file has changed meanwhile", async () => {
    const file = path.join(temporaryFolder(), "w");
    writeFileSync(file, "0123456789");
    const source = blobSource(await openAsBlob(file), "w");
    truncateSync(file, 4);
    await expect(source.read(2, 6)).rejects.toThrow(FileError);
  });

  it("may be larger than 2^31 bytes", async () => {
    const file = path.join(temporaryFolder(), "w");
    // Node 20 counts the bytes of a file's Blob in 32 bits.
    const size = 2 ** 31 + 2 ** 30;
    // Holes take no place on the disk.
    writeFileSync(file, "");
    truncateSync(file, size - 4);
    writeFileSync(file, Uint8Array.of(1, 2, 3, 4), { flag: "a" });
    const source = blobSource(await openAsBlob(file), "w");
    expect(source.size).toBe(size);
    expect(await source.read(size - 4, 4)).toEqual(Uint8Array.of(1, 2, 3, 4));
  });
});
