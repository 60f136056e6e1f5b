/** What a person sees while something runs: progress on stderr, tables and results on stdout, nothing else anywhere. */
import { SingleBar } from "cli-progress";
import stringWidth from "string-width";

/** Words for the terminal; `json` keeps stdout for one JSON object a line. */
export interface Terminal {
  readonly json: boolean;
  /** A line of the result; silent with --json. */
  say(text: string): void;
  /** A JSON line; silent without --json. */
  emit(value: unknown): void;
  /** Something to know, on stderr, said once however often; silent with --quiet. */
  note(text: string): void;
  progress(total: number, what: string, measure?: Measure): Progress;
}

/** What is counted where it is not pictures or steps. */
export interface Measure {
  /** An amount in words. */
  readonly show: (amount: number) => string;
  /** How much of the total is done before it begins. */
  readonly done: number;
}

export interface Progress {
  /** `done` of the total, and what is happening now. */
  update(done: number, what: string): void;
  stop(): void;
}

const COUNT: Measure = { show: (n) => String(Math.floor(n)), done: 0 };

const silent: Progress = { update: () => {}, stop: () => {} };

export function openTerminal({ json = false, quiet = false }: { json?: boolean; quiet?: boolean }): Terminal {
  let current: Progress | undefined;
  const noted = new Set<string>();
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
      if (quiet || noted.has(text)) return;
      noted.add(text);
      process.stderr.write(`${text}\n`);
    },
    progress(total, what, measure = COUNT) {
      current?.stop();
      if (quiet) return silent;
      current = process.stderr.isTTY ? bar(total, what, measure) : lines(total, what, measure);
      return current;
    },
  };
}

function bar(total: number, what: string, { show, done: first }: Measure): Progress {
  const shown = new SingleBar({
    stream: process.stderr,
    format: "{bar} {percentage}% · {value}/{total} · {eta_formatted} left · {what}",
    hideCursor: true,
    clearOnComplete: true,
    etaBuffer: 30,
    formatValue: (amount, _, type) => (type === "value" || type === "total" ? show(amount) : String(amount)),
  });
  shown.start(total, first, { what });
  return {
    update: (done, what) => shown.update(done, { what }),
    stop: () => {
      if (shown.isActive) shown.stop();
    },
  };
}

const EVERY = 5_000;

/** Where stderr is a file or a pipe: a line now and then instead of a bar. */
function lines(total: number, begun: string, { show, done: first }: Measure): Progress {
  const start = performance.now();
  let last = start;
  let what = begun;
  return {
    update(done, now) {
      what = now;
      const time = performance.now();
      if (time - last < EVERY || done <= first) return;
      last = time;
      const left = ((time - start) / (done - first)) * (total - done);
      process.stderr.write(
        `${Math.floor((100 * done) / total)}% · ${show(done)}/${show(total)} · ${Math.ceil(left / 1000)} s left · ${what}\n`,
      );
    },
    stop: () => {},
  };
}

/** Rows as columns of text, by the width that letters take in a terminal: the first row is the head; numbers are set to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => stringWidth(row[i] ?? ""))));
  const numeric = widths.map((_, i) => rows.slice(1).every((row) => /^[-+]?[\d.,]|^–$|^$/.test(row[i] ?? "")));
  const padded = (cell: string, i: number) => {
    const space = " ".repeat(Math.max(0, (widths[i] ?? 0) - stringWidth(cell)));
    return numeric[i] ? space + cell : cell + space;
  };
  const line = (row: readonly string[]) => row.map(padded).join("  ").trimEnd();
  const [head = [], ...body] = rows;
  return [line(head), widths.map((w) => "─".repeat(w)).join("  "), ...body.map(line)].join("\n");
}
