/** Progress of weight preparation (unpacking, quantising) on the terminal. */
import type { Preparing } from "../networks/index.js";
import { formatBytes } from "../tensor/index.js";
import type { Terminal } from "./terminal.js";

/** Milliseconds until the first line, and between lines. */
const FIRST = 2_000;
const INTERVAL = 5_000;

/** Returns a listener that prints progress with the remaining time. */
export function preparing(terminal: Pick<Terminal, "warn">): (event: Preparing) => void {
  let network = "";
  let [start, next] = [0, 0];
  return (event) => {
    const now = performance.now();
    if (event.network !== network) {
      network = event.network;
      start = now;
      next = now + FIRST;
    }
    if (now < next || event.done >= event.total) return;
    next = now + INTERVAL;
    const left = ((now - start) / event.done) * (event.total - event.done);
    terminal.warn(
      `preparing the weights of ${network}, once: ${formatBytes(event.done)} of ${formatBytes(event.total)} · ${Math.ceil(left / 1000)} s left`,
    );
  };
}
