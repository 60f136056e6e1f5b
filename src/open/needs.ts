/** Memory needs of a pair's files, with the working memory of its calls, from graphs that are drawn but not loaded. */
import { memoryNeedsOfParts, type PairParts } from "../assembly/index.js";
import { drawDecoding } from "../decode/index.js";
import { callBytes, castsOf, decodingBytes, type MemoryNeed, type Working } from "../generate/index.js";
import type { Compute } from "../networks/index.js";
import type { Device } from "../runtime/index.js";

/** Text tokens of a call: what most transformers read at most. */
const TOKENS = 512;

/** Memory of a pair under each loading strategy: for weights, and with calls of one sample at its default size. */
export const memoryNeedsOfFiles = async (
  files: PairParts,
  compute: Compute = "float32",
  device: Device = "cpu",
): Promise<MemoryNeed[]> => memoryNeedsOfParts(files, compute, device, await workingOf(files, device));

async function workingOf(
  { textEncoders, base, distilled, decoder, size }: PairParts,
  device: Device,
): Promise<Working> {
  const [, , height, width] = base.denoiser.latents(size);
  const casts = device === "cpu" ? castsOf : () => 0;
  const texts = await Promise.all(textEncoders.map(({ weights }) => weights()));
  const denoising = async ({ denoiser, weights }: PairParts["base"]) => {
    const index = await weights();
    return callBytes(denoiser.draw({ height, width, tokens: TOKENS }, index)) + casts(index);
  };
  const whole = callBytes(drawDecoding(decoder, { height, width }, await decoder.weights()));
  return {
    text: Math.max(0, ...texts.map(casts)),
    base: await denoising(base),
    distilled: distilled ? await denoising(distilled) : 0,
    decoder: decodingBytes(whole, size),
  };
}
