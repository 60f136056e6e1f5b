/** One lane of runs: the newest request supersedes the one before it, and its events go to cells. */
import {
  type Backend,
  BackendError,
  type FollowOptions,
  type Image,
  type Previews,
  type Request,
  type Run,
  type RunEvent,
} from "./backend.js";
import { type Cells, createCells } from "./cells.svelte.js";

export interface Lane {
  readonly cells: Cells;
  /** A run waits or goes on. */
  readonly busy: boolean;
  /** Runs before this one, while it waits. */
  readonly ahead: number;
  readonly error: string | null;
  readonly notices: readonly string[];
  /** Runs a request. Resolves with true when it ended with all its images; false if it was superseded, stopped or failed. */
  run(request: Request, previews?: Previews, onEvent?: (event: RunEvent) => void): Promise<boolean>;
  /** Follows a run that goes on already, with what it has made. Resolves as `run` does. */
  join(run: Run): Promise<boolean>;
  /** Id of the run that was accepted last. */
  readonly id: string | null;
  /** Ends the run after its current model call. What it has made stays. */
  stop(): void;
  /** Shows saved images instead of those of a run. */
  show(images: readonly Image[]): void;
}

/** Milliseconds in which a run shows its first picture before the next one supersedes it, so that a slider that moves is followed. */
const PATIENCE = 250;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export function createLane(backend: Backend, name: string): Lane {
  const cells = createCells();
  const state = $state({ busy: false, ahead: 0, error: null as string | null, notices: [] as string[] });
  let controller: AbortController | null = null;
  let id: string | null = null;
  let started = 0;
  let isShown = true;
  let asked = 0;

  /** Shows a run until it ends. */
  async function perform(
    request: Request,
    begin: (options: FollowOptions) => ReturnType<Backend["follow"]>,
    watch: (event: RunEvent) => void = () => {},
  ): Promise<boolean> {
    const mine = new AbortController();
    controller?.abort();
    controller = mine;
    Object.assign(state, { busy: true, ahead: 0, error: null, notices: [] });
    [started, isShown] = [performance.now(), false];
    const { prompts, seeds = [0] } = request;
    const samples = request.samples ?? prompts.flatMap((_, prompt) => seeds.map((seed) => ({ prompt, seed })));
    cells.begin(samples);
    try {
      const { state: end, error } = await begin({
        signal: mine.signal,
        onEvent(event) {
          if (controller !== mine) return;
          if (event.type === "queued") state.ahead = event.ahead;
          if (event.type === "started") state.ahead = 0;
          if (event.type === "notice") state.notices.push(event.text);
          if (event.type === "preview" || event.type === "image") isShown = true;
          cells.apply(event);
          watch(event);
        },
      });
      if (error) state.error = error.message;
      return end === "done";
    } catch (error) {
      if (mine.signal.aborted) return false;
      state.error = error instanceof BackendError ? error.message : String(error);
      return false;
    } finally {
      if (controller === mine) {
        state.busy = false;
        isShown = true;
      }
    }
  }

  return {
    cells,
    get busy() {
      return state.busy;
    },
    get ahead() {
      return state.ahead;
    },
    get error() {
      return state.error;
    },
    get notices() {
      return state.notices;
    },
    get id() {
      return id;
    },
    async run(request, previews = "all", onEvent = undefined) {
      const turn = ++asked;
      while (!isShown && performance.now() - started < PATIENCE) await pause(20);
      if (turn !== asked) return false;
      const old = id;
      id = null;
      const onAccepted = (accepted: string) => {
        id = accepted;
      };
      const begin = async (options: FollowOptions) => {
        const ended = await backend.run(request, { ...options, previews, lane: name, onAccepted });
        if (old !== null) void backend.forget(old);
        return ended;
      };
      return perform(request, begin, onEvent);
    },
    join(run) {
      asked++;
      id = run.id;
      return perform(run.request, (options) => {
        for (const image of run.images) options.onEvent({ type: "image", image });
        return backend.follow(run, options);
      });
    },
    show(images) {
      this.stop();
      controller?.abort();
      state.error = null;
      cells.begin(images);
      for (const image of images) cells.apply({ type: "image", image });
    },
    stop() {
      asked++;
      if (id !== null) void backend.cancel(id);
      else controller?.abort();
    },
  };
}
