/** Reads autoencoders from their own folder or file, such as a TAESD. */
import {
  autoencoderFolder,
  type FileSystem,
  isFile,
  type LatentScaling,
  openComponentFolder,
  readAutoencoder,
} from "../checkpoint/index.js";
import { type DecoderFiles, parseDecoder } from "../decode/index.js";

/**
 * Reads an autoencoder's folder or file.
 * @param scaling scaling of the latents, for a file without a config
 * @throws FileError, UnsupportedConfigError
 */
export async function readDecoder(files: FileSystem, path: string, scaling?: LatentScaling): Promise<DecoderFiles> {
  return parseDecoder(
    await ((await isFile(files, path))
      ? readAutoencoder(await files.open(path), scaling)
      : openComponentFolder(files, await autoencoderFolder(files, path))),
  );
}
