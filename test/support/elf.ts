/** A shared library for Linux on x64 that holds nothing and needs others: what the loader says about those is real. */

const BASE = 0x40;
const [LOAD, DYNAMIC] = [1, 2];

/** Bytes of a library that needs `libraries`. */
export function sharedLibrary(libraries: readonly string[]): Buffer {
  const names = ["", ...libraries];
  const strings = Buffer.from(`${names.join("\0")}\0`);
  const offsetOf = (name: string) => strings.indexOf(`\0${name}\0`) + 1;
  const [headers, symbol] = [BASE + 2 * 56, 24];
  const stringsAt = headers + symbol;
  const hashAt = stringsAt + strings.length + ((8 - (strings.length % 8)) % 8);
  const dynamicAt = hashAt + 24;
  // DT_NEEDED 1, DT_HASH 4, DT_STRTAB 5, DT_SYMTAB 6, DT_STRSZ 10, DT_SYMENT 11, DT_NULL 0.
  const entries = [
    ...libraries.map((name) => [1, offsetOf(name)] as const),
    ...([
      [4, hashAt],
      [5, stringsAt],
      [6, headers],
      [10, strings.length],
      [11, symbol],
      [0, 0],
    ] as const),
  ];
  const out = Buffer.alloc(dynamicAt + 16 * entries.length);
  // ELF, 64 bits, little-endian; a shared object (3) for x64 (62).
  out.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  const halves = [
    [16, 3],
    [18, 62],
    [52, 64],
    [54, 56],
    [56, 2],
    [58, 64],
  ] as const;
  for (const [at, value] of halves) out.writeUInt16LE(value, at);
  out.writeUInt32LE(1, 20);
  out.writeBigUInt64LE(BigInt(BASE), 32);
  const segment = (at: number, type: number, from: number, align: number) => {
    out.writeUInt32LE(type, at);
    // Readable and writable.
    out.writeUInt32LE(6, at + 4);
    const size = out.length - from;
    for (const [i, value] of [from, from, from, size, size, align].entries())
      out.writeBigUInt64LE(BigInt(value), at + 8 + 8 * i);
  };
  segment(BASE, LOAD, 0, 0x1000);
  segment(BASE + 56, DYNAMIC, dynamicAt, 8);
  strings.copy(out, stringsAt);
  // A hash table of one bucket and one symbol, the empty one.
  for (const [i, value] of [1, 1, 0, 0].entries()) out.writeUInt32LE(value, hashAt + 4 * i);
  for (const [i, [tag, value]] of entries.entries()) {
    out.writeBigUInt64LE(BigInt(tag), dynamicAt + 16 * i);
    out.writeBigUInt64LE(BigInt(value), dynamicAt + 16 * i + 8);
  }
  return out;
}
