/** The studio: one queue of runs on one pair of models. Independent of HTTP. */
import { randomUUID } from "node:crypto";
import { VariegateError } from "../errors.js";
import { createGenerateCache, type GenerateRequest } from "../generate/index.js";
import { type OpenedPair, type OpenOptions, openPair, type PairReference } from "../open/index.js";
import { prepareAdapters, workspaceModels } from "./adapter-files.js";
import { createEventLog } from "./event-log.js";
import { execute, type Served, servedPair } from "./execute.js";
import { createFairQueue } from "./fair-queue.js";
import type { Problem } from "./history.js";
import { checkLoad } from "./load.js";
import { Refusal } from "./refusal.js";
import { type EndState, type Previews, type Run, RunStopped } from "./run.js";
import { openWorkspace, type Workspace } from "./workspace.js";

export interface SubmitOptions {
  /** Cancels the earlier runs of this client. */
  readonly supersede: boolean;
  readonly previews: Previews;
}

export interface Studio {
  readonly pair: OpenedPair;
  /** The models as they were named, the model folder of the workspace among them. */
  readonly models: PairReference & OpenOptions;
  readonly workspace: Workspace;
  /** Number of waiting runs, and the run that is being executed. */
  readonly queue: { readonly waiting: number; readonly running: string | null };
  /**
   * Queues a run.
   * @throws RequestError, FileError for a request that the pair cannot run; Refusal when the queue is full
   */
  submit(client: string, request: GenerateRequest, options: SubmitOptions): Promise<Run>;
  /** A run that is queued or running, or ended a short time ago. */
  run(id: string): Run | undefined;
  /** Number of runs that are executed before this one; null when it does not wait. */
  ahead(run: Run): number | null;
  /** Ends a run: at once if it waits, else after the current model call. */
  cancel(run: Run): void;
  /** Removes a run that has ended, with its images. */
  remove(id: string): Promise<void>;
  /**
   * Runs a task between two runs, when no model is in use.
   * @throws Refusal when too many tasks wait; what the task throws
   */
  between<T>(task: (served: Served) => Promise<T>): Promise<T>;
  /** Stops the current run after its model call, and closes the models. The workspace stays open for another studio. */
  release(): Promise<void>;
  /** Releases the models and closes the workspace. */
  close(): Promise<void>;
}

/** Most waiting runs, in total and of one client. */
const MOST_WAITING = 256;
const MOST_OF_CLIENT = 32;
/** Most waiting tasks. */
const MOST_TASKS = 16;
/** Characters of events that are kept of one run, and of all runs that have ended. */
const LOG = 8_000_000;
const ENDED_LOGS = 32_000_000;
const MOST_ENDED = 256;
/** Memory for results of earlier runs: a share of the memory budget, and at most so many bytes. */
const CACHE = 1 / 16;
const MOST_CACHE = 256e6;
/** Weight of the last run in the mean duration of a run, and the first guess in seconds. */
const LATEST = 0.25;
const GUESS = 2;

export interface StudioOptions {
  readonly models: PairReference & OpenOptions;
  /** Callbacks of downloads and preparation, and a signal that aborts them. */
  readonly opening?: OpenOptions;
  readonly workspace: string;
  /** Called with what goes wrong and is not the client's fault. */
  readonly onError: (error: unknown) => void;
}

/** Opens a studio: its workspace, then its models. @throws as openWorkspace and openPair */
export async function openStudio({
  models: given,
  opening,
  workspace: folder,
  onError,
}: StudioOptions): Promise<Studio> {
  const workspace = await openWorkspace(folder);
  try {
    await prepareAdapters(folder);
    const models = { ...given, modelFolders: [...(given.modelFolders ?? []), workspaceModels(folder)] };
    return await openStudioOn(workspace, { models, onError, ...(opening && { opening }) });
  } catch (error) {
    await workspace.close();
    throw error;
  }
}

/** Opens models on a workspace that is open. @throws as openPair */
export async function openStudioOn(
  workspace: Workspace,
  { models, opening, onError }: Omit<StudioOptions, "workspace">,
): Promise<Studio> {
  return createStudio(servedPair(await openPair(models, opening)), models, workspace, onError);
}

function createStudio(
  pair: OpenedPair,
  models: StudioOptions["models"],
  workspace: Workspace,
  onError: StudioOptions["onError"],
): Studio {
  const cache = createGenerateCache(Math.min(MOST_CACHE, CACHE * pair.engine.memoryBudget));
  const queue = createFairQueue<Run>();
  const runs = new Map<string, Run>();
  const ended: Run[] = [];
  const served: Served = { pair, models, workspace, cache };
  let current: Run | null = null;
  /** Tasks that wait for the end of a run. */
  const tasks: { readonly start: () => Promise<void>; readonly refuse: (error: Error) => void }[] = [];
  let busy = false;
  let afterTask = false;
  let work: Promise<void> = Promise.resolve();
  let closed = false;
  let seconds = GUESS;

  function finish(run: Run, state: EndState, error: Problem | null = null): void {
    run.state = state;
    run.error = error;
    try {
      workspace.history.setState(run.id, state, error);
    } catch (failure) {
      onError(failure);
    }
    run.log.append({ type: "ended", state, error });
    run.log.end();
    ended.push(run);
    let size = ended.reduce((n, { log }) => n + log.size, 0);
    while (ended.length > 1 && (ended.length > MOST_ENDED || size > ENDED_LOGS)) {
      const oldest = ended.shift();
      size -= oldest?.log.size ?? 0;
      if (oldest) runs.delete(oldest.id);
    }
  }

  async function perform(run: Run): Promise<void> {
    const start = performance.now();
    try {
      run.state = "running";
      workspace.history.setState(run.id, "running", null);
      run.log.append({ type: "started" });
      for await (const event of execute(served, run)) {
        follow(run, event);
        run.log.append(event);
      }
      finish(run, "done");
      seconds += LATEST * ((performance.now() - start) / 1000 - seconds);
    } catch (error) {
      if (error instanceof RunStopped) return finish(run, error.state);
      if (!(error instanceof VariegateError)) onError(error);
      finish(run, "failed", problemOf(error));
    }
  }

  function next(): void {
    if (busy || closed) return;
    // After a run a task has its turn, and after a task a run.
    const task = afterTask && queue.length > 0 ? undefined : tasks.shift();
    const run = task ? undefined : queue.take();
    if (!task && !run) return;
    busy = true;
    afterTask = task !== undefined;
    current = run ?? null;
    work = (task ? task.start() : run ? perform(run) : Promise.resolve()).then(() => {
      current = null;
      busy = false;
      next();
    });
  }

  function between<T>(task: (served: Served) => Promise<T>): Promise<T> {
    if (closed) throw new Refusal(503, "the studio is closing");
    if (tasks.length >= MOST_TASKS) {
      throw new Refusal(429, `${tasks.length} measurements wait already; try again in 1 s`, { retryAfter: 1 });
    }
    return new Promise((resolve, reject) => {
      tasks.push({ start: () => task(served).then(resolve, reject), refuse: reject });
      next();
    });
  }

  function stop(run: Run, state: EndState): void {
    if (queue.remove(run)) finish(run, state);
    else if (run === current) run.controller.abort(new RunStopped(state));
  }

  return {
    pair,
    models,
    workspace,
    get queue() {
      return { waiting: queue.length, running: current?.id ?? null };
    },
    async submit(client, request, { supersede, previews }) {
      await checkLoad(pair, request);
      if (closed) throw new Refusal(503, "the studio is closing");
      const older = supersede ? [...queue.of(client), ...(current?.client === client ? [current] : [])] : [];
      for (const run of older) stop(run, "superseded");
      const mine = queue.of(client).length;
      if (mine >= MOST_OF_CLIENT || queue.length >= MOST_WAITING) {
        const wait = Math.max(1, Math.ceil(seconds));
        const whose = mine >= MOST_OF_CLIENT ? `${mine} runs of this client` : `${queue.length} runs`;
        throw new Refusal(429, `${whose} wait already; try again in ${wait} s`, { retryAfter: wait });
      }
      const run: Run = {
        ...{ id: randomUUID(), client, created: new Date().toISOString(), request, previews },
        ...{ state: "queued", error: null, images: [], log: createEventLog(LOG), controller: new AbortController() },
        progress: null,
      };
      workspace.history.addRun({ ...run, request: { ...request } });
      runs.set(run.id, run);
      queue.add(client, run);
      run.log.append({ type: "queued", ahead: (queue.ahead(run) ?? 0) + (current ? 1 : 0) });
      next();
      return run;
    },
    run: (id) => runs.get(id),
    ahead: (run) => {
      const before = queue.ahead(run);
      return before === null ? null : before + (current ? 1 : 0);
    },
    cancel: (run) => stop(run, "cancelled"),
    between,
    async remove(id) {
      const at = ended.findIndex((run) => run.id === id);
      if (at >= 0) ended.splice(at, 1);
      runs.delete(id);
      await workspace.removeRun(id);
    },
    async release() {
      closed = true;
      for (let run = queue.take(); run; run = queue.take()) finish(run, "interrupted");
      for (const { refuse } of tasks.splice(0)) refuse(new Refusal(503, "the models are being closed; try again"));
      if (current) stop(current, "interrupted");
      await work;
      await pair.close();
    },
    async close() {
      await this.release();
      await workspace.close();
    },
  };
}

/** Keeps the progress of a run up to date. */
function follow(run: Run, event: Readonly<Record<string, unknown> & { type: string }>): void {
  const { step, steps, image } = event;
  if (event.type === "step" && typeof step === "number" && typeof steps === "number") {
    const samples = run.request.samples?.length ?? run.request.prompts.length * (run.request.seeds?.length ?? 1);
    run.progress ??= { steps: steps * samples, done: 0, step, of: steps, started: Date.now(), preview: null };
    run.progress.done++;
    run.progress.step = step;
  }
  if (event.type === "preview" && run.progress && typeof image === "string") run.progress.preview = image;
}

const problemOf = (error: unknown): Problem => {
  if (!(error instanceof VariegateError)) return { message: "internal error; the terminal of the studio shows it" };
  const field = "field" in error && typeof error.field === "string" ? error.field : undefined;
  return { message: error.message, ...(field !== undefined && { field }) };
};
