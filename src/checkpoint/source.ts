/** Sources of bytes whose reads are checked, whatever platform reads them. */
import { FileError } from "../errors.js";
import type { ByteSource } from "../tensor/index.js";

/**
 * A source over a plain `read`. A range is checked before memory is taken for it, since its numbers may come from a broken file; the
 * length of what came back is checked after.
 */
export function checkedSource(
  facts: Omit<ByteSource, "read">,
  read: (offset: number, length: number) => Promise<Uint8Array>,
): ByteSource {
  const { name, size } = facts;
  return {
    ...facts,
    async read(offset, length) {
      if (offset < 0 || length < 0 || offset + length > size) {
        throw new FileError(name, `is cut short: bytes up to ${offset + length} are needed, it has ${size}`);
      }
      const bytes = length === 0 ? new Uint8Array() : await read(offset, length);
      if (bytes.length === length) return bytes;
      throw new FileError(name, `gave ${bytes.length} bytes where ${length} were asked for`);
    },
  };
}
