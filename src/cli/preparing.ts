/** What a person sees while weights are unpacked or quantised: a line now and then, with the time that is left. */
import type { Preparing } from "../networks/index.js";
import { formatBytes } from "../tensor/index.js";
import type { Terminal } from "./terminal.js";

/** Nothing is said of what is quick; then a line so often. */
const FIRST = 2_000;
const EVERY = 5_000;

/** Listens to the preparing of weights and notes how far it is. */
export function preparing(terminal: Pick<Terminal, "note">): (event: Preparing) => void {
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
    next = now + EVERY;
    const left = ((now - start) / event.done) * (event.total - event.done);
    terminal.note(
      `preparing the weights of ${network}, once: ${formatBytes(event.done)} of ${formatBytes(event.total)} · ${Math.ceil(left / 1000)} s left`,
    );
  };
}
