/** System calls of a program, seen through strace: files it writes to and addresses it contacts. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { temporaryFolder } from "./folder.js";

export interface Traced {
  readonly status: number | null;
  readonly stderr: string;
  /** Paths opened for writing, made, renamed, linked or removed. */
  readonly written: readonly string[];
  /** IP addresses other than this machine's own, name servers included. */
  readonly contacted: readonly string[];
}

/** The reason why calls cannot be traced here; null where they can. */
export function straceProblem(): string | null {
  const { error, status, stderr } = spawnSync("strace", ["-f", "-o", "/dev/null", "true"], { encoding: "utf8" });
  if (error) return "strace is not installed";
  return status === 0 ? null : `strace may not trace here: ${stderr.trim()}`;
}

const CHANGES = /^(creat|mkdir|mknod|link|symlink|unlink|rename|truncate)/;

/** Runs Node with these arguments under strace, child processes and threads too. */
export function traceNode(args: readonly string[], env: Readonly<Record<string, string>>): Traced {
  const log = path.join(temporaryFolder(), "strace");
  const options = ["-f", "-qq", "-y", "-s", "4096", "-e", "trace=file,network", "-o", log];
  const { status, stderr } = spawnSync("strace", [...options, process.execPath, ...args], { encoding: "utf8", env });
  const calls = whole(readFileSync(log, "utf8").split("\n")).filter((call) => !/ = -1 E/.test(call));
  return {
    status,
    stderr,
    written: [...new Set(calls.flatMap(changed))],
    contacted: [...new Set(calls.flatMap(addresses))],
  };
}

/** Calls without the process's number; one that others interrupt stands in two lines, which are joined. */
function whole(lines: readonly string[]): string[] {
  const begun = new Map<string, string>();
  return lines.flatMap((line) => {
    const [, pid = "", call = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const [, start] = /^(.*)<unfinished \.\.\.>$/.exec(call) ?? [];
    if (start !== undefined) {
      begun.set(pid, start);
      return [];
    }
    const [, rest] = /^<\.\.\. \w+ resumed>(.*)$/.exec(call) ?? [];
    return [rest === undefined ? call : `${begun.get(pid) ?? ""}${rest}`];
  });
}

/** Paths that a call changes; relative ones are resolved with the folder that strace prints before them. */
function changed(call: string): string[] {
  const opens = /^open(at2?)?\(/.test(call) && /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(call);
  if (!opens && !CHANGES.test(call)) return [];
  const paths = call.matchAll(/(?:<([^>]*)>, )?"((?:[^"\\]|\\.)*)"/g);
  return [...paths].map(([, folder = "/", name = ""]) => path.resolve(folder, name)).filter((p) => p !== "/dev/null");
}

const addresses = (call: string): string[] =>
  [...(/^(connect|send)/.test(call) ? call : "").matchAll(/sa_family=AF_INET6?\b.*?"([^"]*)"/g)]
    .map(([, address = ""]) => address)
    .filter((address) => !/^(127\.|::1$)/.test(address));
