/** Images of a run while it goes on: for each sample its x0 by step, and the saved image. */
import { SvelteMap } from "svelte/reactivity";
import type { Image, ModelName, RunEvent, SampleKey } from "./backend.js";

export interface Cell extends SampleKey {
  /** Picture to show: the latest x0, then the saved image. The one of an earlier run until then. */
  readonly shown: string | null;
  /** x0 of each step, as far as it was sent. */
  readonly frames: readonly (string | undefined)[];
  /** Timestep and model of each step that was made. */
  readonly steps: readonly { readonly timestep: number; readonly model: ModelName }[];
  /** Number of steps of the plan. */
  readonly of: number;
  readonly image: Image | null;
}

export interface Cells {
  readonly list: readonly Cell[];
  /** Begins a run of these samples. Pictures of samples that were there stay until they are replaced. */
  begin(samples: readonly SampleKey[]): void;
  apply(event: RunEvent): void;
  /** Replaces the record of an image, such as when it became a favourite. */
  setImage(image: Image): void;
  get(seed: number, prompt?: number): Cell | undefined;
}

const EMPTY = { shown: null, frames: [], steps: [], of: 0, image: null } as const;

const keyOf = ({ prompt, seed }: SampleKey): string => `${prompt}-${seed}`;

export function createCells(): Cells {
  const cells = new SvelteMap<string, Cell>();
  /** Samples whose pictures are of the run that goes on. */
  const begun = new Set<string>();

  function change(key: string, change: (cell: Cell) => Partial<Cell>): void {
    const cell = cells.get(key);
    if (!cell) return;
    // The first event of a sample clears what the run before left of it, except for the picture.
    const before = begun.has(key) ? cell : { ...cell, frames: [], steps: [], image: null };
    begun.add(key);
    cells.set(key, { ...before, ...change(before) });
  }

  return {
    get list() {
      return [...cells.values()];
    },
    begin(samples) {
      begun.clear();
      const keys = samples.map(keyOf);
      if (keys.join() === [...cells.keys()].join()) return;
      const before = new Map(cells);
      cells.clear();
      for (const [i, sample] of samples.entries()) {
        const key = keys[i] ?? keyOf(sample);
        cells.set(key, before.get(key) ?? { ...EMPTY, ...sample });
      }
    },
    apply(event) {
      if (event.type === "step") {
        const { step, steps, timestep, model } = event;
        change(keyOf(event), (cell) => ({ steps: placed(cell.steps, step, { timestep, model }), of: steps }));
      } else if (event.type === "preview") {
        change(keyOf(event), (cell) => ({
          frames: placed(cell.frames, event.step, event.image),
          shown: event.image,
        }));
      } else if (event.type === "image") {
        const { image } = event;
        // The x0 of the last step is the image.
        change(keyOf(image), ({ frames, of }) => ({
          ...{ image, shown: image.url },
          frames: of > 0 ? placed(frames, of - 1, image.url) : frames,
        }));
      }
    },
    setImage(image) {
      const cell = cells.get(keyOf(image));
      if (cell?.image?.id === image.id) cells.set(keyOf(image), { ...cell, image });
    },
    get: (seed, prompt = 0) => cells.get(keyOf({ prompt, seed })),
  };
}

/** A copy of a list with a value at an index. */
function placed<T>(list: readonly T[], index: number, value: T): T[] {
  const copy = [...list];
  copy[index] = value;
  return copy;
}
