/** Opens autoencoders from their own folder or file, such as a TAESD. */
import { readDecoder } from "../assembly/index.js";
import { deriveInFile, disk } from "../checkpoint/node/index.js";
import { createDecoder, type Decoder } from "../decode/index.js";
import { type Family, factsOf } from "../families/index.js";
import { type LookupOptions, locate } from "../lookup/index.js";
import { FLOAT32, type Precision } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";

/** Opens another decoder for a pair's latents. @throws FileError, UnsupportedConfigError */
export async function openDecoder(runtime: Runtime, ref: string, lookup: LookupOptions = {}): Promise<Decoder> {
  const precision: Precision = { ...FLOAT32, derive: deriveInFile };
  return createDecoder(runtime, await readDecoder(disk, await locate(ref, "autoencoder", lookup)), { precision });
}

/** Reference to the TAESD of a family's latents on the Hub; null where there is none. */
export function tinyDecoderOf(family: Family): string | null {
  const { tiny } = factsOf(family).latents;
  return tiny === undefined ? null : `madebyollin/${tiny}`;
}
