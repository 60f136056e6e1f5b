import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { MachineError } from "../../src/errors.js";
import { runInProcesses, type WorkerJob, type WorkerMessage } from "../../src/experiments/workers.js";
import { temporaryFolder } from "../support/folder.js";

const folder = temporaryFolder();
const job = (workers: number): WorkerJob => ({
  ...{ type: "run", workers, request: { definitions: [], out: "/nowhere", command: "" } },
});

/** A program that runs `body` when it gets its job. */
function program(name: string, body: string): URL {
  const file = path.join(folder, `${name}.mjs`);
  writeFileSync(
    file,
    `import { writeFileSync } from "node:fs";
     const note = (name, text) => writeFileSync(${JSON.stringify(folder)} + "/" + name, text);
     process.on("disconnect", () => process.exit(1));
     process.once("message", (job) => { ${body} });`,
  );
  return pathToFileURL(file);
}
const nothing = () => {};

describe("worker processes", () => {
  it("get the request, report progress and end the run when all have ended", async () => {
    const ready = program(
      "ready",
      `process.send({ type: "calls", calls: job.workers, row: job.request.out });
       setTimeout(() => process.exit(0), 50);`,
    );
    const heard: WorkerMessage[] = [];
    await runInProcesses(job(2), { workers: 2, onMessage: (m) => heard.push(m), program: ready });
    const message = { type: "calls", calls: 2, row: "/nowhere" };
    expect(heard).toEqual([message, message]);
  });

  it("do not start for a run that is aborted already", async () => {
    const started = program("started", `note("started", ""); process.exit(0);`);
    const signal = AbortSignal.abort();
    const run = runInProcesses(job(2), { workers: 2, onMessage: nothing, signal, program: started });
    await expect(run).rejects.toBe(signal.reason);
    expect(existsSync(path.join(folder, "started"))).toBe(false);
  });

  it("are killed when the run is aborted", async () => {
    const endless = program(
      "endless",
      `note("pid", String(process.pid)); process.send({ type: "calls", calls: 1, row: "" }); setInterval(() => {}, 1000);`,
    );
    const stop = new AbortController();
    const reason = new Error("enough");
    const onMessage = () => stop.abort(reason);
    const run = runInProcesses(job(1), { workers: 1, onMessage, signal: stop.signal, program: endless });
    await expect(run).rejects.toBe(reason);
    const pid = Number(readFileSync(path.join(folder, "pid"), "utf8"));
    expect(() => process.kill(pid, 0)).toThrow();
  });

  it("end the run with the message of the first that fails, and the others with it", async () => {
    // Whoever creates the file first fails; the other would work for ever.
    const failing = program(
      "failing",
      `try { writeFileSync(${JSON.stringify(path.join(folder, "first"))}, "", { flag: "wx" }); } catch { setInterval(() => {}, 1000); return; }
       process.send({ type: "failed", message: "no memory left" });
       process.exitCode = 1;
       setImmediate(() => process.disconnect());`,
    );
    const run = runInProcesses(job(2), { workers: 2, onMessage: nothing, program: failing });
    await expect(run).rejects.toThrow(new MachineError("no memory left"));
  });

  it("that are killed by the system end the run with an error of the machine", async () => {
    const killed = program("killed", `process.kill(process.pid, "SIGKILL");`);
    const run = runInProcesses(job(1), { workers: 1, onMessage: nothing, program: killed });
    await expect(run).rejects.toThrow(MachineError);
  });
});
