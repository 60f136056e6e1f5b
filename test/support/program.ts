/** Runs the program: in a process of its own, or, for what it prints and writes only, in one that has loaded it already. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const BIN = fileURLToPath(new URL("../../bin/variegate.js", import.meta.url));
const HOST = fileURLToPath(new URL("./program-host.js", import.meta.url));
/** Follows the output of a run in a process that goes on. */
const MARK = "\u0000end of run\u0000";

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

type Env = Readonly<Record<string, string>>;

/**
 * Runs the program to its end in a process of its own, without blocking this one, where a test's server answers.
 * @param env variables beside those of this process
 * @param during is given a function that interrupts the program, as Ctrl-C does
 */
export function spawnProgram(
  words: readonly string[],
  env: Env = {},
  during?: (interrupt: () => void) => void,
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [BIN, ...words], { env: { ...process.env, ...env } });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text) => {
      stdout += text;
    });
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    during?.(() => child.kill("SIGINT"));
    child.on("close", (status) => resolve({ status, stdout, stderr }));
  });
}

/** Number of processes that are kept for their next run. */
const KEPT = 2;
/** Processes that wait for their next run. */
const idle: ChildProcess[] = [];

/**
 * Runs the program to its end in a process that earlier runs may have used: loading the program takes as long as a small run. Runs at the
 * same time have a process each.
 * @param env variables beside those of this process
 * @param cwd folder that relative paths are in. Default: that of this process
 */
export async function runProgram(words: readonly string[], env: Env = {}, cwd = process.cwd()): Promise<Ended> {
  const host = idle.pop() ?? startHost();
  const ended = await new Promise<Ended>((resolve, reject) => {
    const output = { stdout: "", stderr: "" };
    let status: number | undefined;
    const finish = () => {
      if (status === undefined || !output.stdout.endsWith(MARK) || !output.stderr.endsWith(MARK)) return;
      host.removeAllListeners();
      for (const name of ["stdout", "stderr"] as const) host[name]?.removeAllListeners("data");
      resolve({ status, stdout: output.stdout.slice(0, -MARK.length), stderr: output.stderr.slice(0, -MARK.length) });
    };
    for (const name of ["stdout", "stderr"] as const) {
      host[name]?.on("data", (text: string) => {
        output[name] += text;
        finish();
      });
    }
    host.on("message", (message) => {
      status = Number(message);
      finish();
    });
    host.once("close", (code, signal) =>
      reject(new Error(`the program ended its process with ${signal ?? code}: ${output.stderr}`)),
    );
    host.send({ words, env: { ...process.env, ...env }, cwd, mark: MARK });
  });
  if (idle.length < KEPT) idle.push(host);
  else host.disconnect();
  return ended;
}

function startHost(): ChildProcess {
  const host = fork(HOST, [BIN], { stdio: ["ignore", "pipe", "pipe", "ipc"], execArgv: [] });
  for (const stream of [host.stdout, host.stderr]) stream?.setEncoding("utf8");
  return host;
}
