/** `variegate worker`, the progress of an experiment on a queue, and `experiment status`, `retry` and `cancel`. */
import { RequestError } from "../errors.js";
import { type FleetState, type ModelRequest, statesOf, work } from "../experiments/index.js";
import { openQueue, type WorkQueue } from "../fleet/index.js";
import { fetching } from "./fetching.js";
import type { Terminal } from "./terminal.js";
import { duration } from "./units.js";

export interface WorkerOptions {
  readonly queue?: string;
  readonly store?: string;
  readonly concurrency?: number;
  readonly untilDone?: boolean;
}

/** Both addresses, or neither where the command can do without. @throws RequestError */
export function placesOf({ queue, store }: WorkerOptions): { readonly queue: string; readonly store: string } | null {
  if (queue === undefined && store === undefined) return null;
  if (queue === undefined || store === undefined) {
    throw new RequestError(
      `--${queue === undefined ? "store" : "queue"} needs --${queue === undefined ? "queue" : "store"} beside it: the queue has the cells to do, the store the results`,
    );
  }
  return { queue, store };
}

export async function runWorker(
  terminal: Terminal,
  models: ModelRequest,
  options: WorkerOptions,
  signal: AbortSignal,
): Promise<void> {
  const places = placesOf(options);
  if (!places) throw new RequestError("worker needs --queue and --store (or VARIEGATE_QUEUE and VARIEGATE_STORE)");
  const { concurrency = 1, untilDone = false } = options;
  const request = { ...places, models, concurrency, untilDone };
  await work(request, {
    ...fetching(terminal, signal),
    onMessage(text) {
      terminal.emit({ type: "note", text });
      terminal.warn(text);
    },
  });
}

/** One line for the experiment, and one for each worker. */
export function linesOf({
  name,
  cancelled,
  cells,
  done,
  failed,
  running,
  waiting,
  delayed,
  rate,
  left,
  workers,
}: FleetState): string[] {
  if (cancelled) return [`${name}: cancelled`];
  const retried = delayed > 0 ? ` (${delayed} to be tried again)` : "";
  const time = left === null ? "" : ` · ${duration(left)} left`;
  return [
    `${name}: ${done} of ${cells} cells done · ${failed} failed · ${running} running · ${waiting} waiting${retried} · ${rate.toFixed(2)} images/s${time}`,
    ...workers.map(
      (w) =>
        `  ${w.id} · ${w.machine} · ${w.tasks} cells, ${w.images} images, ${w.rate.toFixed(2)} images/s · ${w.doing}`,
    ),
  ];
}

const INTERVAL = 5_000;

/** Shows the progress of an experiment: in place on a terminal, else every few seconds. */
export function fleetProgress(terminal: Terminal, quiet: boolean): { show(state: FleetState): void; stop(): void } {
  let [drawn, last, before] = [0, 0, ""];
  const isLive = process.stderr.isTTY === true;
  const clear = () => {
    if (drawn > 0) process.stderr.write(`\x1b[${drawn}A\x1b[0J`);
    drawn = 0;
  };
  return {
    show(state) {
      const text = JSON.stringify(state);
      if (text !== before) terminal.emit({ type: "fleet", ...state });
      const isDue = isLive || Date.now() - last >= INTERVAL;
      if (quiet || terminal.json || !isDue || text === before) return;
      before = text;
      last = Date.now();
      const lines = linesOf(state);
      clear();
      process.stderr.write(`${lines.join("\n")}\n`);
      if (isLive) drawn = lines.length;
    },
    stop: clear,
  };
}

/** Commands on the experiments of a queue. */
export const FLEET_COMMANDS = ["status", "retry", "cancel"] as const;
export type FleetCommand = (typeof FLEET_COMMANDS)[number];

export async function runFleetCommand(
  terminal: Terminal,
  command: FleetCommand,
  name: string | undefined,
  address: string | undefined,
): Promise<void> {
  if (address === undefined) throw new RequestError(`experiment ${command} needs --queue (or VARIEGATE_QUEUE)`);
  const queue = await openQueue(address);
  try {
    const states = await statesOf(queue);
    const names = states.map((s) => s.name);
    if (name === undefined && command !== "status") {
      throw new RequestError(`experiment ${command} needs the name of an experiment; ${listed(queue, names)}`);
    }
    if (name !== undefined && !names.includes(name)) {
      throw new RequestError(`${queue.address} has no experiment ${name}; ${listed(queue, names)}`);
    }
    await COMMANDS[command](
      terminal,
      queue,
      states.filter((s) => name === undefined || s.name === name),
    );
  } finally {
    await queue.close();
  }
}

const listed = ({ address }: WorkQueue, names: readonly string[]): string =>
  names.length === 0 ? `${address} has no experiments` : `it has ${names.join(", ")}`;

type States = readonly FleetState[];
const COMMANDS: {
  readonly [C in FleetCommand]: (terminal: Terminal, queue: WorkQueue, states: States) => Promise<void>;
} = {
  async status(terminal, queue, states) {
    if (states.length === 0) terminal.print(`${queue.address} has no experiments`);
    for (const state of states) {
      const failed = await queue.failed(state.name);
      terminal.emit({ type: "fleet", ...state, reasons: failed });
      for (const line of linesOf(state)) terminal.print(line);
      for (const { id, reason } of failed) terminal.print(`  failed cell ${id}: ${reason}`);
    }
  },
  async retry(terminal, queue, states) {
    for (const { name } of states) {
      const cells = await queue.retry(name);
      terminal.emit({ type: "retry", name, cells });
      terminal.print(`${name}: ${cells} failed cells will be tried again`);
    }
  },
  async cancel(terminal, queue, states) {
    for (const { name } of states) {
      await queue.cancel(name);
      terminal.emit({ type: "cancel", name });
      terminal.print(`${name} is cancelled; finished cells stay in the store`);
    }
  },
};
