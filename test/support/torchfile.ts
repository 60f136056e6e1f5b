/** Writes what torch.save writes for a state dict: a stored zip with a pickle (protocol 2) and one file for each tensor. */
import type { FileTensor } from "./checkpoint.js";

const STORAGE = { F32: "FloatStorage", F16: "HalfStorage", BF16: "BFloat16Storage", I64: "LongStorage" } as const;

/** Tensors as a PyTorch zip file, contiguous and each in a storage of its own. */
export function torchFile(tensors: readonly FileTensor[]): Uint8Array {
  return zip([
    ["archive/data.pkl", pickle(tensors)],
    ["archive/byteorder", Buffer.from("little")],
    ...tensors.map((t, i) => [`archive/data/${i}`, t.bytes] as const),
    ["archive/version", Buffer.from("3\n")],
  ]);
}

function pickle(tensors: readonly FileTensor[]): Uint8Array {
  const parts: Buffer[] = [];
  const op = (code: string) => parts.push(Buffer.from(code, "latin1"));
  const text = (value: string) => {
    const bytes = Buffer.from(value);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(bytes.length);
    op("X");
    parts.push(size, bytes);
  };
  const whole = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    op("J");
    parts.push(bytes);
  };
  const tuple = (values: readonly number[]) => {
    op("(");
    for (const value of values) whole(value);
    op("t");
  };
  op("\x80\x02}(");
  for (const [i, { name, dtype, shape }] of tensors.entries()) {
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((n, d) => n * d, 1));
    text(name);
    // _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks); the storage is a persistent id.
    op("ctorch._utils\n_rebuild_tensor_v2\n((");
    text("storage");
    op(`ctorch\n${STORAGE[dtype]}\n`);
    text(String(i));
    text("cpu");
    whole(shape.reduce((n, d) => n * d, 1));
    op("tQ");
    whole(0);
    tuple(shape);
    tuple(strides);
    op("\x89ccollections\nOrderedDict\n)RtR");
  }
  op("u.");
  return Buffer.concat(parts);
}

/** Entries one after the other, then the directory (PKWARE APPNOTE 4.3), nothing compressed. */
function zip(entries: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const files: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const [name, bytes] of entries) {
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(bytes.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(at, 10);
    directory.push(Buffer.from("PK\x01\x02\x14\x00", "latin1"), common, place, Buffer.from(name));
    const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), common, Buffer.from(name)]);
    files.push(local, bytes);
    at += local.length + bytes.length;
  }
  const length = directory.reduce((n, part) => n + part.length, 0);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...files, ...directory, end]);
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = (TABLE[(c ^ byte) & 0xff] ?? 0) ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}
