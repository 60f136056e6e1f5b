/** The state of the page: settings with undo, their plan, and the grid that follows them. */
import { type Backend, BackendError, type Image, type PairFacts, type PlanRow, type Run } from "./backend.js";
import { createLane, type Lane } from "./lane.svelte.js";
import { FIRST, requestOf, type Settings, settingsOf } from "./settings.js";

export interface Session {
  readonly backend: Backend;
  readonly settings: Settings;
  readonly pair: PairFacts | null;
  /** Rows of the plan, and those of the distilled model alone. */
  readonly plan: readonly PlanRow[];
  readonly fewSteps: number;
  readonly problem: string | null;
  readonly grid: Lane;
  /** Seed of the image that is looked at. */
  selected: number | null;
  /** Changes settings. The grid follows once there is one. `what` names the control: its changes in a row are undone together. */
  change(patch: Partial<Settings>, what?: string): void;
  /** Changes settings without a new run, such as text that is being typed. */
  edit(patch: Partial<Settings>): void;
  generate(): Promise<void>;
  /** Marks an image as a favourite, or no longer. */
  favour(cell: { readonly image: Image | null }): Promise<void>;
  readonly canUndo: boolean;
  undo(): void;
  /** Sets everything as it was in a run, and shows its images. */
  restore(run: Run): void;
  start(): Promise<void>;
}

const MOST_UNDONE = 100;
/** Milliseconds in which changes of one control are one. */
const TOGETHER = 1_000;

export function createSession(backend: Backend, onGenerated: () => void): Session {
  const grid = createLane(backend, "grid");
  let settings = $state.raw<Settings>(FIRST);
  let past = $state.raw<readonly Settings[]>([]);
  let pair = $state.raw<PairFacts | null>(null);
  let plan = $state.raw<readonly PlanRow[]>([]);
  let fewSteps = $state(4);
  let problem = $state<string | null>(null);
  let selected = $state<number | null>(null);
  let last = { what: "", at: 0 };
  let asked = 0;

  async function readPlan(): Promise<void> {
    const turn = ++asked;
    try {
      const request = requestOf(settings);
      const few = requestOf({ ...settings, switch: 0, baseAlone: false, adapters: [] });
      const [rows, steps] = await Promise.all([backend.plan(request), backend.plan(few).catch(() => [])]);
      if (turn !== asked) return;
      plan = rows;
      const count = steps.filter(({ kind }) => kind === "step").length;
      if (count > 0) fewSteps = count;
      problem = null;
    } catch (error) {
      if (turn === asked) problem = error instanceof BackendError ? error.message : String(error);
    }
  }

  async function generate(): Promise<void> {
    if (settings.prompt.trim() === "") {
      problem = "Write a prompt first.";
      return;
    }
    if (await grid.run(requestOf(settings))) onGenerated();
  }

  function set(next: Settings, what: string): void {
    const now = performance.now();
    if (what === "" || what !== last.what || now - last.at > TOGETHER) past = [...past, settings].slice(-MOST_UNDONE);
    last = { what, at: now };
    settings = next;
    void readPlan();
  }

  const follow = () => {
    if (grid.cells.list.length > 0) void generate();
  };

  return {
    ...{ backend, grid, generate },
    get settings() {
      return settings;
    },
    get pair() {
      return pair;
    },
    get plan() {
      return plan;
    },
    get fewSteps() {
      return fewSteps;
    },
    get problem() {
      return problem;
    },
    get selected() {
      return selected;
    },
    set selected(seed) {
      selected = seed;
    },
    get canUndo() {
      return past.length > 0;
    },
    change(patch, what = "") {
      set({ ...settings, ...patch }, what);
      follow();
    },
    edit(patch) {
      set({ ...settings, ...patch }, "text");
    },
    async favour({ image }) {
      if (!image) return;
      try {
        grid.cells.setImage(await backend.favourite(image.id, !image.favourite));
      } catch (error) {
        problem = error instanceof BackendError ? error.message : String(error);
      }
    },
    undo() {
      const before = past.at(-1);
      if (!before) return;
      past = past.slice(0, -1);
      last = { what: "", at: 0 };
      settings = before;
      void readPlan();
      follow();
    },
    restore(run) {
      set(settingsOf(run.request), "");
      grid.stop();
      grid.cells.begin(run.images);
      for (const image of run.images) grid.cells.apply({ type: "image", image });
    },
    async start() {
      try {
        pair = await backend.pair();
        const [newest] = await backend.history();
        if (newest) {
          this.restore(newest);
          past = [];
        } else void readPlan();
      } catch (error) {
        problem = error instanceof BackendError ? error.message : String(error);
      }
    },
  };
}
