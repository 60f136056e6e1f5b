/** The diversity of the grid, beside that of the base and the distilled model alone with the same seeds. */
import type { Diversity, Request } from "./backend.js";
import { createLane, type Lane } from "./lane.svelte.js";
import type { Session } from "./session.svelte.js";
import { requestOf } from "./settings.js";

/** A model alone, with the seeds of the grid. */
export interface Reference {
  readonly name: "base" | "distilled";
  readonly lane: Lane;
  /** Null until all its images are there. */
  readonly diversity: Diversity | null;
}

export interface Variety {
  /** Null with one image, and while images are missing. */
  readonly grid: Diversity | null;
  readonly references: readonly Reference[];
  readonly beside: boolean;
  /** Shows base and distilled beside the grid, or no longer. */
  setBeside(beside: boolean): void;
  /** Measures the grid, whose images are there, then makes what is missing of the references. */
  update(ids: readonly string[]): Promise<void>;
  /** Stops the references, so that the grid need not wait. */
  yield(): void;
}

const NAMES = ["base", "distilled"] as const;

export function createVariety(session: Session): Variety {
  const { backend } = session;
  const lanes = NAMES.map((name) => createLane(backend, `reference-${name}`));
  let grid = $state.raw<Diversity | null>(null);
  let measured = $state.raw<readonly (Diversity | null)[]>([null, null]);
  let beside = $state(false);
  /** Requests of the references that are there, as JSON. */
  const made = ["", ""];
  let asked = 0;

  const requests = (): Request[] => {
    const { settings } = session;
    return [
      requestOf({ ...settings, baseAlone: true, baseGuidance: null }),
      requestOf({ ...settings, baseAlone: false, switch: 0, baseSteps: null }),
    ];
  };

  const idsOf = ({ cells }: Lane): string[] => cells.list.flatMap(({ image }) => (image ? [image.id] : []));

  async function makeReferences(turn: number): Promise<void> {
    for (const [i, request] of requests().entries()) {
      const lane = lanes[i];
      const key = JSON.stringify(request);
      if (!lane || made[i] === key) continue;
      made[i] = "";
      measured = measured.with(i, null);
      const old = lane.id;
      if (!(await lane.run(request, "none")) || turn !== asked) return;
      if (old !== null) void backend.remove(old).catch(() => {});
      const diversity = await session.attempt(() => backend.diversity(idsOf(lane)));
      if (!diversity) return;
      made[i] = key;
      measured = measured.with(i, diversity);
    }
  }

  let ids: readonly string[] = [];
  async function update(images: readonly string[]): Promise<void> {
    const turn = ++asked;
    ids = images;
    if (images.length < 2) {
      grid = null;
      return;
    }
    const diversity = await session.attempt(() => backend.diversity(images));
    if (turn !== asked) return;
    grid = diversity ?? null;
    if (beside && session.pair?.distilled) await makeReferences(turn);
  }

  return {
    get grid() {
      return grid;
    },
    get references() {
      return NAMES.flatMap((name, i) => {
        const lane = lanes[i];
        return lane ? [{ name, lane, diversity: measured[i] ?? null }] : [];
      });
    },
    get beside() {
      return beside;
    },
    setBeside(value) {
      beside = value;
      if (value) void update(ids);
      else this.yield();
    },
    update,
    yield() {
      asked++;
      for (const lane of lanes) if (lane.busy) lane.stop();
    },
  };
}
