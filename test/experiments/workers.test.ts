import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { MachineError } from "../../src/errors.js";
import { generateInWorkers } from "../../src/experiments/workers.js";
import { temporaryFolder } from "../support/folder.js";

const folder = temporaryFolder();
const request = { definitions: [], out: "/nowhere", command: "" };

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
      `process.send({ type: "calls", calls: job.workers * 10 + job.done.length, row: job.request.out });
       setTimeout(() => process.exit(0), 50);`,
    );
    const heard: unknown[] = [];
    const onCalls = (calls: number, row: string) => heard.push([calls, row]);
    await generateInWorkers(request, ["a"], { workers: 2, onCalls, program: ready });
    expect(heard).toEqual([
      [21, "/nowhere"],
      [21, "/nowhere"],
    ]);
  });

  it("do not start for a run that is aborted already", async () => {
    const started = program("started", `note("started", ""); process.exit(0);`);
    const signal = AbortSignal.abort();
    const run = generateInWorkers(request, [], { workers: 2, onCalls: nothing, signal, program: started });
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
    const onCalls = () => stop.abort(reason);
    const run = generateInWorkers(request, [], { workers: 1, onCalls, signal: stop.signal, program: endless });
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
    const run = generateInWorkers(request, [], { workers: 2, onCalls: nothing, program: failing });
    await expect(run).rejects.toThrow(new MachineError("no memory left"));
  });

  it("that are killed by the system end the run with an error of the machine", async () => {
    const killed = program("killed", `process.kill(process.pid, "SIGKILL");`);
    const run = generateInWorkers(request, [], { workers: 1, onCalls: nothing, program: killed });
    await expect(run).rejects.toThrow(MachineError);
  });
});
