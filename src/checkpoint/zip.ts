/** Locations of the entries in a zip archive (PKWARE APPNOTE 4.3). Uncompressed entries only: PyTorch writes no others, and they can be mapped. */
import { FileError } from "../errors.js";
import type { ByteSource } from "../tensor/index.js";

export interface ZipEntry {
  readonly name: string;
  /** Offset of the entry's bytes in the file. */
  readonly offset: number;
  readonly length: number;
}

const [END, END64, LOCATOR64, CENTRAL, LOCAL] = [0x06054b50, 0x06064b50, 0x07064b50, 0x02014b50, 0x04034b50];
const MAX_DIRECTORY = 64_000_000;
const FULL = 0xffffffff;

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const big = (v: DataView, at: number): number => Number(v.getBigUint64(at, true));

/** Reads the central directory. @throws FileError when the zip is incomplete or has compressed entries */
export async function readZip(source: ByteSource): Promise<ReadonlyMap<string, ZipEntry>> {
  const broken = (why: string) => new FileError(source.name, `is no whole PyTorch zip file: ${why}`);
  const tailStart = Math.max(0, source.size - 22 - 65535);
  const tail = view(await source.read(tailStart, source.size - tailStart));
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== END) end--;
  if (end < 0) throw broken("its directory is missing, the file may be cut short");

  let [entries, length, start] = [
    tail.getUint16(end + 10, true),
    tail.getUint32(end + 12, true),
    tail.getUint32(end + 16, true),
  ];
  if (end >= 20 && tail.getUint32(end - 20, true) === LOCATOR64) {
    const end64 = view(await source.read(big(tail, end - 20 + 8), 56));
    if (end64.getUint32(0, true) !== END64) throw broken("its 64-bit directory is missing");
    [entries, length, start] = [big(end64, 32), big(end64, 40), big(end64, 48)];
  }
  if (length > MAX_DIRECTORY) throw broken(`its directory would be ${length} bytes`);
  const directory = view(await source.read(start, length));
  const found = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < entries; i++) {
    if (at + 46 > length || directory.getUint32(at, true) !== CENTRAL) throw broken("its directory is damaged");
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) => directory.getUint16(at + o, true)) as [
      number,
      number,
      number,
    ];
    if (at + 46 + nameLength + extraLength > length) throw broken("its directory is damaged");
    const name = new TextDecoder().decode(new Uint8Array(directory.buffer, directory.byteOffset + at + 46, nameLength));
    let [size, local] = [directory.getUint32(at + 24, true), directory.getUint32(at + 42, true)];
    const compressed = directory.getUint32(at + 20, true);
    ({ size, local } = wide(directory, at + 46 + nameLength, extraLength, { size, compressed, local }));
    if (directory.getUint16(at + 10, true) !== 0)
      throw broken(`${name} is compressed; PyTorch stores its tensors as they are`);
    const header = view(await source.read(local, 30));
    if (header.getUint32(0, true) !== LOCAL) throw broken(`${name} is not where the directory says`);
    const offset = local + 30 + header.getUint16(26, true) + header.getUint16(28, true);
    if (offset + size > source.size)
      throw new FileError(
        source.name,
        `is cut short: ${name} ends at byte ${offset + size}, the file at ${source.size}`,
      );
    found.set(name, { name, offset, length: size });
    at += 46 + nameLength + extraLength + commentLength;
  }
  return found;
}

/** Sizes above 4 GiB, from the extra field (4.5.3): in this order, each only where the 32-bit field is saturated. */
function wide(v: DataView, start: number, length: number, plain: { size: number; compressed: number; local: number }) {
  let { size, local } = plain;
  for (let at = start; at + 4 <= start + length; at += 4 + v.getUint16(at + 2, true)) {
    if (v.getUint16(at, true) !== 1) continue;
    let field = at + 4;
    const next = () => {
      const value = field + 8 <= v.byteLength ? big(v, field) : 0;
      field += 8;
      return value;
    };
    if (size === FULL) size = next();
    if (plain.compressed === FULL) next();
    if (local === FULL) local = next();
  }
  return { size, local };
}
