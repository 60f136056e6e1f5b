/** Traces of the images that are looked at, by image and phrases. */
import type { Backend, Trace } from "./backend.js";

export interface Traces {
  /** The trace of an image, as far as it was read. */
  get(image: string): Trace | undefined;
  readonly busy: boolean;
  /** Reads the trace of an image, with the phrases that are looked for. */
  read(image: string, phrases: readonly string[]): Promise<void>;
}

const MOST_KEPT = 64;

export function createTraces(backend: Backend): Traces {
  let traces = $state.raw<ReadonlyMap<string, { readonly phrases: string; readonly trace: Trace }>>(new Map());
  let reading = $state(0);
  const underWay = new Set<string>();
  return {
    get: (image) => traces.get(image)?.trace,
    get busy() {
      return reading > 0;
    },
    async read(image, phrases) {
      const key = `${image} ${phrases.join()}`;
      if (traces.get(image)?.phrases === phrases.join() || underWay.has(key)) return;
      underWay.add(key);
      reading++;
      try {
        const trace = await backend.trace(image, phrases);
        traces = new Map([...[...traces].slice(1 - MOST_KEPT), [image, { phrases: phrases.join(), trace }]]);
      } finally {
        underWay.delete(key);
        reading--;
      }
    },
  };
}
