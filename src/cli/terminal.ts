/** What a person sees while something runs: progress on stderr, tables and results on stdout, nothing else anywhere. */
import { SingleBar } from "cli-progress";

/** Words for the terminal; `json` keeps stdout for one JSON object a line. */
export interface Terminal {
  readonly json: boolean;
  /** A line of the result; silent with --json. */
  say(text: string): void;
  /** A JSON line; silent without --json. */
  emit(value: unknown): void;
  /** Something to know, on stderr; silent with --quiet. */
  note(text: string): void;
  progress(total: number, what: string): Progress;
}

export interface Progress {
  /** `done` of the total, and what is happening now. */
  update(done: number, what: string): void;
  stop(): void;
}

const silent: Progress = { update: () => {}, stop: () => {} };

export function openTerminal({ json = false, quiet = false }: { json?: boolean; quiet?: boolean }): Terminal {
  let current: Progress | undefined;
  // Whatever ends the run, the bar goes and the cursor comes back.
  process.once("exit", () => current?.stop());
  return {
    json,
    say: (text) => {
      if (!json) process.stdout.write(`${text}\n`);
    },
    emit: (value) => {
      if (json) process.stdout.write(`${JSON.stringify(value)}\n`);
    },
    note: (text) => {
      if (!quiet) process.stderr.write(`${text}\n`);
    },
    progress(total, what) {
      current?.stop();
      if (quiet) return silent;
      current = process.stderr.isTTY ? bar(total, what) : lines(total, what);
      return current;
    },
  };
}

function bar(total: number, what: string): Progress {
  const shown = new SingleBar({
    stream: process.stderr,
    format: "{bar} {percentage}% · {value}/{total} · {eta_formatted} left · {what}",
    hideCursor: true,
    clearOnComplete: true,
    etaBuffer: 30,
  });
  shown.start(total, 0, { what });
  return {
    update: (done, what) => shown.update(done, { what }),
    stop: () => {
      if (shown.isActive) shown.stop();
    },
  };
}

const EVERY = 5_000;

/** Where stderr is a file or a pipe: a line now and then instead of a bar. */
function lines(total: number, first: string): Progress {
  const start = performance.now();
  let last = start;
  let what = first;
  return {
    update(done, now) {
      what = now;
      const time = performance.now();
      if (time - last < EVERY || done === 0) return;
      last = time;
      const left = ((time - start) / done) * (total - done);
      process.stderr.write(
        `${Math.floor((100 * done) / total)}% · ${done}/${total} · ${Math.ceil(left / 1000)} s left · ${what}\n`,
      );
    },
    stop: () => {},
  };
}

/** Rows as columns of text: the first row is the head; numbers are set to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? "").length)));
  const numeric = widths.map((_, i) => rows.slice(1).every((row) => /^[-+]?[\d.,]|^–$|^$/.test(row[i] ?? "")));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  const [head = [], ...body] = rows;
  return [line(head), widths.map((w) => "─".repeat(w)).join("  "), ...body.map(line)].join("\n");
}
