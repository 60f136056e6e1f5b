/** Prints what a run says about its request: input without effect, guesses, changes to fit in memory, truncated prompts. */
import type { GenerateEvent, Milliseconds } from "../generate/index.js";
import { type OpenedPair, tinyDecoderOf } from "../open/index.js";
import { counted } from "../tensor/index.js";
import type { Terminal } from "./terminal.js";

/** Prints what a user should read of an event. Most events print nothing. */
export function warnOf(terminal: Terminal, event: GenerateEvent): void {
  if (event.type === "notice") terminal.warn(event.text);
  if (event.type === "adjusted") for (const why of event.why) terminal.warn(why);
  if (event.type === "encoded" && event.truncated > 0) {
    terminal.warn(
      `prompt ${event.prompt}: the last ${counted(event.truncated, "token is", "tokens are")} truncated; --prompt-syntax a1111 or comfy reads long prompts in chunks`,
    );
  }
}

/** Milliseconds of decoding below which a faster decoder is not worth a line. */
const LONG = 2000;

/** Says that a TAESD decodes faster, where decoding took longer than denoising. */
export function warnOfDecoding(
  terminal: Terminal,
  {
    family,
    decoder,
  }: Pick<OpenedPair, "family"> & { readonly decoder: { readonly config: { readonly kind: string } } },
  { denoise, decode }: Pick<Milliseconds, "denoise" | "decode">,
): void {
  const tiny = tinyDecoderOf(family);
  if (tiny === null || decoder.config.kind === "tiny" || decode < LONG || decode <= denoise) return;
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  terminal.warn(
    `decoding took ${seconds(decode)} s, denoising ${seconds(denoise)} s; --decoder ${tiny} decodes faster, with less detail`,
  );
}
