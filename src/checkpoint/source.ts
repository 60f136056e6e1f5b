/** Byte sources with checked reads, on any platform. */
import { FileError } from "../errors.js";
import type { ByteSource } from "../tensor/index.js";

/**
 * Byte source over an unchecked `read`. The range is checked before memory is allocated, since it may come from a corrupt file; the
 * length of the result is checked after.
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
