/** Prints what a run says about its request: input without effect, guesses, changes to fit in memory, truncated prompts. */
import type { GenerateEvent } from "../generate/index.js";
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
