import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readFloats } from "../../src/checkpoint/index.js";
import { openWeights } from "../../src/checkpoint/node/index.js";
import { temporaryFolder } from "../support/folder.js";

const text = (s: string) => Buffer.concat([Buffer.from([0x58]), u32(s.length), Buffer.from(s)]);
const u32 = (n: number) => {
  const b = Buffer.alloc(4);
  b.writeUInt32LE(n);
  return b;
};
const codes = (...c: number[]) => Buffer.from(c);
const PROTO = codes(0x80, 2);
const STOP = codes(0x2e);
const global = (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`);

/** ("storage", FloatStorage, key, "cuda:0", elements, None) by persistent id, then a window on it. */
const tensor = (key: string, elements: number, offset: number, shape: number[]) =>
  Buffer.concat([
    global("torch._utils", "_rebuild_tensor_v2"),
    codes(0x28, 0x28),
    text("storage"),
    global("torch", "FloatStorage"),
    text(key),
    text("cuda:0"),
    codes(0x4b, elements, 0x4e, 0x74, 0x51),
    codes(0x4b, offset, 0x28, ...shape.flatMap((n) => [0x4b, n]), 0x74),
    codes(0x28, ...shape.flatMap((_, i) => [0x4b, shape.slice(i + 1).reduce((a, b) => a * b, 1)]), 0x74),
    codes(0x89),
    global("collections", "OrderedDict"),
    codes(0x29, 0x52, 0x74, 0x52),
  ]);
const floats = (...v: number[]) => Buffer.from(Float32Array.from(v).buffer);
const count = (n: number) => Buffer.concat([u32(n), u32(0)]);

/** A file as PyTorch 1.5 saved it: [[9, 8], [7, 6]] as `b` on the second storage, a window on the first as `a`. */
function old({ magic = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19] } = {}): Buffer {
  const items = [
    [text("a"), tensor("11", 4, 1, [2])],
    [text("b"), tensor("22", 4, 0, [2, 2])],
  ].flat();
  return Buffer.concat([
    Buffer.concat([PROTO, codes(0x8a, 10, ...magic), STOP]),
    Buffer.concat([PROTO, codes(0x4d, 0xe9, 3), STOP]),
    Buffer.concat([PROTO, codes(0x7d, 0x28), text("little_endian"), codes(0x88, 0x75), STOP]),
    Buffer.concat([PROTO, global("collections", "OrderedDict"), codes(0x29, 0x52, 0x28), ...items, codes(0x75), STOP]),
    Buffer.concat([PROTO, codes(0x5d, 0x28), text("22"), text("11"), codes(0x65), STOP]),
    count(4),
    floats(9, 8, 7, 6),
    count(4),
    floats(1, 2, 3, 4),
  ]);
}

function file(bytes: Uint8Array): string {
  const name = path.join(temporaryFolder(), "weights.pth");
  writeFileSync(name, bytes);
  return name;
}

describe("files from before PyTorch 1.6", () => {
  it("finds every tensor in the order of its storages' keys, not of the tensors", async () => {
    const { weights } = await openWeights(file(old()));
    const read = async (name: string) => {
      const weight = weights.get(name);
      return weight && { shape: weight.shape, values: [...(await readFloats(weight))] };
    };
    expect(await read("a")).toEqual({ shape: [2], values: [2, 3] });
    expect(await read("b")).toEqual({ shape: [2, 2], values: [9, 8, 7, 6] });
  });

  it("refuses a file that ends too soon and one that is something else", async () => {
    const whole = old();
    await expect(openWeights(file(whole.subarray(0, whole.length - 3)))).rejects.toThrow(/cut short/);
    await expect(openWeights(file(whole.subarray(0, 120)))).rejects.toThrow(/damaged or cut short/);
    await expect(openWeights(file(Buffer.from("hello, this is text")))).rejects.toThrow(/no PyTorch file/);
    await expect(openWeights(file(old({ magic: [1, 2, 3, 4, 5, 6, 7, 8, 9, 1] })))).rejects.toThrow(/no PyTorch file/);
  });
});
