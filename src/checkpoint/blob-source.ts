/** Byte source over a Blob: a file selected in a browser, or a complete download. */
import { FileError, reasonOf } from "../errors.js";
import type { ByteSource } from "../tensor/index.js";
import { checkedSource } from "./source.js";

/** @param name for messages; default: the name of a File */
export function blobSource(blob: Blob, name: string = nameOf(blob)): ByteSource {
  return checkedSource({ name, blob, size: blob.size }, async (offset, length) => {
    try {
      return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
    } catch (cause) {
      // The file was changed or removed after its selection.
      throw new FileError(name, `cannot be read: ${reasonOf(cause)}`, { cause });
    }
  });
}

const nameOf = (blob: Blob): string => ("name" in blob && typeof blob.name === "string" ? blob.name : "a Blob");
