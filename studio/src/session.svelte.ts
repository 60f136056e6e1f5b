/** The state of the page: settings with undo, their plan, and the grid that follows them. */
import {
  type AdapterFacts,
  type Backend,
  BackendError,
  type Image,
  type PairFacts,
  type PairReference,
  type PlanRow,
  type Request,
  type Run,
} from "./backend.js";
import { createLane, type Lane } from "./lane.svelte.js";
import { type AdapterSetting, FIRST, requestOf, type Settings, settingsOf, stripOf } from "./settings.js";

export interface Said {
  readonly text: string;
  readonly bad: boolean;
}

/** What a strip shows. */
export interface Stripped {
  readonly ref: string;
  readonly seed: number;
}

export interface Session {
  readonly backend: Backend;
  readonly settings: Settings;
  readonly pair: PairFacts | null;
  /** Rows of the plan, and those of the distilled model alone. */
  readonly plan: readonly PlanRow[];
  readonly fewSteps: number;
  /** Where the number of rows that the base runs comes from. */
  readonly switchFrom: string;
  /** What the page has to say: why settings do not fit together, or what came of an action. */
  readonly said: Said | null;
  say(text: string, isBad?: boolean): void;
  /** Does something that may be refused, and says so. Undefined when it was. */
  attempt<T>(action: () => Promise<T>): Promise<T | undefined>;
  readonly grid: Lane;
  /** One image along the scale of an adapter, and which. */
  readonly along: Lane;
  readonly stripped: Stripped | null;
  /** Runs the selected image, else the first, along the scale of an adapter. */
  strip(adapter: AdapterSetting): void;
  /** Adapters that may be added. */
  readonly adapters: readonly AdapterFacts[];
  readAdapters(): Promise<void>;
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
  /** Sets everything as in a request, and generates. */
  adopt(request: Request): void;
  /** Sets everything as it was in a run, and shows its images. */
  restore(run: Run): void;
  /** Sets everything as it was in the run of an image, and selects it. */
  open(image: Image): Promise<void>;
  start(): Promise<void>;
  /** Progress of another pair that is being opened. */
  readonly opening: string | null;
  /** Opens another pair, with the settings of its own. */
  openPair(reference: PairReference): Promise<void>;
}

const messageOf = (error: unknown): string => (error instanceof BackendError ? error.message : String(error));

const MOST_UNDONE = 100;
/** Milliseconds in which changes of one control are one. */
const TOGETHER = 1_000;

export function createSession(backend: Backend, onChanged: () => void): Session {
  const grid = createLane(backend, "grid");
  const along = createLane(backend, "strip");
  let adapters = $state.raw<readonly AdapterFacts[]>([]);
  let opening = $state<string | null>(null);
  let stripped = $state.raw<Stripped | null>(null);
  let settings = $state.raw<Settings>(FIRST);
  let past = $state.raw<readonly Settings[]>([]);
  let pair = $state.raw<PairFacts | null>(null);
  let plan = $state.raw<readonly PlanRow[]>([]);
  let fewSteps = $state(4);
  let switchFrom = $state("");
  /** Why the settings have no plan. */
  let unplanned = $state<string | null>(null);
  let note = $state.raw<Said | null>(null);
  let selected = $state<number | null>(null);
  let last = { what: "", at: 0 };
  let asked = 0;

  const say = (text: string, bad = false) => {
    note = { text, bad };
  };

  async function attempt<T>(action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      say(messageOf(error), true);
      return undefined;
    }
  }

  async function readPlan(): Promise<void> {
    const turn = ++asked;
    try {
      const request = requestOf(settings);
      const few = requestOf({ ...settings, switch: 0, baseAlone: false, adapters: [] });
      const [made, alone] = await Promise.all([backend.plan(request), backend.plan(few).catch(() => null)]);
      if (turn !== asked) return;
      plan = made.rows;
      switchFrom = made.switchFrom;
      const count = alone?.rows.filter(({ kind }) => kind === "step").length ?? 0;
      if (count > 0) fewSteps = count;
      unplanned = null;
    } catch (error) {
      if (turn === asked) unplanned = messageOf(error);
    }
  }

  async function generate(): Promise<void> {
    if (settings.prompt.trim() === "") {
      say("Write a prompt first.", true);
      return;
    }
    note = null;
    if (await grid.run(requestOf(settings))) onChanged();
  }

  function set(next: Settings, what: string): void {
    const now = performance.now();
    if (what === "" || what !== last.what || now - last.at > TOGETHER) past = [...past, settings].slice(-MOST_UNDONE);
    last = { what, at: now };
    settings = next;
    void readPlan();
  }

  async function readAdapters(): Promise<void> {
    adapters = await backend.adapters();
  }

  function restore(run: Run): void {
    set(settingsOf(run.request), "");
    grid.show(run.images);
  }

  const follow = () => {
    if (grid.cells.list.length > 0) void generate();
  };

  return {
    ...{ backend, grid, along, generate, readAdapters, say, attempt, restore },
    get settings() {
      return settings;
    },
    get adapters() {
      return adapters;
    },
    get stripped() {
      return stripped;
    },
    strip({ ref }) {
      const seed = selected ?? settings.seeds[0] ?? 0;
      stripped = { ref, seed };
      selected = seed;
      void along.run(stripOf(settings, ref, seed), "none");
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
    get switchFrom() {
      return switchFrom;
    },
    get said() {
      return unplanned === null ? note : { text: unplanned, bad: true };
    },
    get selected() {
      return selected;
    },
    set selected(seed) {
      selected = seed;
      if (seed !== stripped?.seed) stripped = null;
    },
    get canUndo() {
      return past.length > 0;
    },
    change(patch, what = "") {
      set({ ...settings, ...patch }, what);
      follow();
    },
    adopt(request) {
      set(settingsOf(request), "");
      void generate();
    },
    async open(image) {
      const run = await attempt(() => backend.one(image.run));
      if (!run) return;
      restore(run);
      selected = image.seed;
    },
    edit(patch) {
      set({ ...settings, ...patch }, "text");
    },
    async favour({ image }) {
      if (!image) return;
      const changed = await attempt(() => backend.favourite(image.id, !image.favourite));
      if (!changed) return;
      grid.cells.setImage(changed);
      onChanged();
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
    get opening() {
      return opening;
    },
    async openPair(reference) {
      try {
        pair = await backend.openPair(reference, (text) => {
          opening = text;
        });
      } finally {
        opening = null;
      }
      const { prompt, seeds } = settings;
      grid.show([]);
      set({ ...FIRST, prompt, seeds }, "");
      await readAdapters();
    },
    async start() {
      void attempt(readAdapters);
      await attempt(async () => {
        pair = await backend.pair();
        const going = await backend.going();
        const run = going ?? (await backend.history())[0];
        if (run) {
          restore(run);
          past = [];
        } else void readPlan();
        if (going) void grid.join(going).then((isDone) => isDone && onChanged());
      });
    },
  };
}
