/** Terminal output: results on stdout, progress and warnings on stderr. */
import { createRequire } from "node:module";
import type CliProgress from "cli-progress";
import { type Column, fitTable, terminalWidth } from "./table.js";
import { timeLeft } from "./time-left.js";

export { table } from "./table.js";

/** Output of a command. With --json, stdout has one JSON object per line. */
export interface Terminal {
  readonly json: boolean;
  /** Prints a line of the result, without --json. */
  print(text: string): void;
  /** Prints a table that fits the terminal, without --json, and the titles of the columns that had to be left out. */
  table<R>(columns: readonly Column<R>[], rows: readonly R[]): void;
  /** Prints a JSON line, with --json. */
  emit(value: unknown): void;
  /** Prints a line on stderr, without --quiet. The same text is printed once. */
  warn(text: string): void;
  /** Starts a progress bar, which replaces the previous one. */
  progress(total: number, what: string, unit?: ProgressUnit): Progress;
}

/** Unit of a progress bar; the default counts. */
export interface ProgressUnit {
  readonly format: (amount: number) => string;
  /** Amount that is done at the start. */
  readonly done: number;
}

export interface Progress {
  /** Sets the amount done and the label. */
  update(done: number, what: string): void;
  stop(): void;
}

/** Progress of work in phases. */
export interface Phases {
  /** Sets the amount done of `total` and the label. Another total than before begins another bar. */
  update(done: number, total: number, what: string): void;
  stop(): void;
}

/** A bar for each phase of work whose amount is known only when it begins. */
export function phases(terminal: Pick<Terminal, "progress">): Phases {
  let [bar, known]: [Progress | undefined, number] = [undefined, 0];
  return {
    update(done, total, what) {
      if (total !== known) bar = terminal.progress(total, what);
      known = total;
      bar?.update(done, what);
    },
    stop: () => bar?.stop(),
  };
}

const COUNT: ProgressUnit = { format: (n) => String(Math.floor(n)), done: 0 };

const silent: Progress = { update: () => {}, stop: () => {} };

/** Output options of a command; all are false by default. */
export interface TerminalOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  /** Shows every column of a table, however narrow the terminal. */
  readonly all?: boolean;
}

/** The bar that is shown. Its timer keeps the process alive until it is stopped. */
let current: Progress | undefined;

/** Removes the progress bar and restores the cursor, however a command ended. */
export const endProgress = (): void => current?.stop();

export function openTerminal({ json = false, quiet = false, all = false }: TerminalOptions): Terminal {
  const warned = new Set<string>();
  process.once("exit", endProgress);
  const print = (text: string) => {
    if (!json) process.stdout.write(`${text}\n`);
  };
  return {
    json,
    print,
    table(columns, rows) {
      const { text, left } = fitTable(columns, rows, { width: terminalWidth(), all });
      print(text);
      if (left.length > 0) print(`left out: ${left.join(", ")} (--all shows every column)`);
    },
    emit: (value) => {
      if (json) process.stdout.write(`${JSON.stringify(value)}\n`);
    },
    warn: (text) => {
      if (quiet || warned.has(text)) return;
      warned.add(text);
      process.stderr.write(`${text}\n`);
    },
    progress(total, what, unit = COUNT) {
      current?.stop();
      if (quiet) return silent;
      current = process.stderr.isTTY ? bar(total, what, unit) : lines(total, what, unit);
      return current;
    },
  };
}

/** Help and errors of options do without the package. */
const progressBars = (): typeof CliProgress => createRequire(import.meta.url)("cli-progress");

function bar(total: number, what: string, { format, done: first }: ProgressUnit): Progress {
  const { SingleBar } = progressBars();
  const shown = new SingleBar({
    stream: process.stderr,
    format: "{bar} {percentage}% · {value}/{total} · {what}",
    hideCursor: true,
    clearOnComplete: true,
    formatValue: (amount, _, type) => (type === "value" || type === "total" ? format(amount) : String(amount)),
  });
  const left = timeLeft(total, first);
  shown.start(total, first, { what });
  return {
    update: (done, what) => shown.update(done, { what: joined(left(done), what) }),
    stop: () => {
      if (shown.isActive) shown.stop();
    },
  };
}

const joined = (left: string | null, what: string): string => (left === null ? what : `${left} · ${what}`);

const INTERVAL = 5_000;

/** Progress for a stderr that is not a terminal: a line every few seconds. */
function lines(total: number, _: string, { format, done: first }: ProgressUnit): Progress {
  const left = timeLeft(total, first);
  let last = performance.now();
  return {
    update(done, what) {
      const remaining = left(done);
      const time = performance.now();
      if (time - last < INTERVAL || done <= first) return;
      last = time;
      process.stderr.write(
        `${Math.floor((100 * done) / total)}% · ${format(done)}/${format(total)} · ${joined(remaining, what)}\n`,
      );
    },
    stop: () => {},
  };
}
