/** What a file of the user is, from the names and shapes of its tensors. Reads its header only. */
import { blobSource, readRecognised } from "../checkpoint/index.js";

/** Kind of model of a file, its description, and the evidence for it. */
export interface RecognisedFile {
  readonly kind: string;
  readonly about: string;
  readonly because: string;
}

/** @throws FileError for a file without tensors */
export async function recogniseFile(file: File): Promise<RecognisedFile> {
  const { kind, about, because } = (await readRecognised(blobSource(file))).recognised;
  return { kind, about, because };
}
