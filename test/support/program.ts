/** Runs the program in a process of its own, without blocking this one, where a test's server answers. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const BIN = fileURLToPath(new URL("../../bin/variegate.js", import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs the program to its end.
 * @param env variables beside those of this process
 * @param during is given a function that interrupts the program, as Ctrl-C does
 */
export function runProgram(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
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
