/** Checks before a run is queued: what the pair can run, and what one client may ask of this machine. */
import { FileError, RequestError } from "../errors.js";
import { checkRequest, type GenerateRequest, seedsToRun } from "../generate/index.js";
import type { OpenedPair } from "../open/index.js";

/** Most images of one run. */
const MOST_IMAGES = 1024;
/** Most pixels of an image: as many as these of the model's own images, and at least this many. */
const MOST_OWN = 4;
const SPARED = 512 * 512;

/**
 * Checks a request with the adapters that it names. Loads no network.
 * @throws RequestError with the field that is at fault
 */
export async function checkLoad(pair: OpenedPair, request: GenerateRequest): Promise<void> {
  checkRequest(pair, request);
  const { prompts, size = pair.size } = request;
  const seeds = seedsToRun(request);
  const images = prompts.length * seeds.length;
  if (images > MOST_IMAGES) {
    throw new RequestError(`these are ${images} images (prompts × seeds); expected at most ${MOST_IMAGES} in one run`, {
      field: "seeds",
    });
  }
  const most = Math.max(SPARED, MOST_OWN * pair.size.width * pair.size.height);
  if (size.width * size.height > most) {
    throw new RequestError(`size ${size.width}x${size.height}: expected at most ${most} pixels of this model`, {
      field: "size",
    });
  }
  const [, , height, width] = pair.base.denoiser.latents(size);
  const bytes = await pair.base.network.workingBytes({ height, width, tokens: pair.text.tokens }, 1);
  if (bytes > pair.engine.memoryBudget) {
    throw new RequestError(`size ${size.width}x${size.height} takes more working memory than the memory budget`, {
      field: "size",
    });
  }
  for (const [i, { ref, allowUnmatched = false }] of (request.adapters ?? []).entries()) {
    await pair.openAdapter(ref, { allowUnmatched }).catch((error: unknown) => {
      if (!(error instanceof FileError) && !(error instanceof RequestError)) throw error;
      const unknown = error instanceof FileError && error.file === ref;
      const message = unknown
        ? `adapters.${i}.ref is ${JSON.stringify(ref)}; expected the name of an adapter in the model folders (--comfy, --a1111) or in the package`
        : error.message;
      throw new RequestError(message, { field: `adapters.${i}.ref`, cause: error });
    });
  }
}
