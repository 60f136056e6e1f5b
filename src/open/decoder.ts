/** Opens autoencoders from their own folder or file, such as a TAESD. */
import { statSync } from "node:fs";
import { readAutoencoder } from "../checkpoint/index.js";
import { autoencoderFolder, deriveInFile, openComponentFolder, openFile } from "../checkpoint/node/index.js";
import { createDecoder, type Decoder, type DecoderFiles, parseDecoder } from "../decode/index.js";
import { type LookupOptions, locate } from "../lookup/index.js";
import { FLOAT32, type Precision } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";

/** Opens another decoder for a pair's latents. @throws FileError, UnsupportedConfigError */
export async function openDecoder(runtime: Runtime, ref: string, lookup: LookupOptions = {}): Promise<Decoder> {
  const precision: Precision = { ...FLOAT32, derive: deriveInFile };
  return createDecoder(runtime, await readDecoder(await locate(ref, "autoencoder", lookup)), { precision });
}

/**
 * Reads an autoencoder's folder or file.
 * @param scaling scaling factor of the latents, for a file without a config
 * @throws FileError, UnsupportedConfigError
 */
export async function readDecoder(path: string, scaling?: number): Promise<DecoderFiles> {
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile();
  return parseDecoder(
    await (isFile
      ? readAutoencoder(await openFile(path), scaling)
      : openComponentFolder(await autoencoderFolder(path))),
  );
}
