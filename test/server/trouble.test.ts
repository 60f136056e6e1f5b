import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { temporaryFolder } from "../support/folder.js";
import { studioForTests } from "../support/studio.js";

const EMBEDDED = fileURLToPath(new URL("../../embedded", import.meta.url));
const BIN = fileURLToPath(new URL("../../bin/variegate.js", import.meta.url));
const models = temporaryFolder();
for (const part of ["base", "distilled"])
  cpSync(path.join(EMBEDDED, part), path.join(models, part), { recursive: true });

const moved = studioForTests({
  models: { base: path.join(models, "base"), distilled: path.join(models, "distilled"), threads: 1 },
});

const runSchema = z.object({
  state: z.string(),
  error: z.object({ message: z.string() }).nullable(),
  images: z.array(z.object({ url: z.string() })),
});
const SIZE = { width: 64, height: 48 };

/** A namespace in which a process without rights may mount a small disk. */
const canMount = spawnSync("unshare", ["-rm", "true"]).status === 0;

describe("a studio in trouble", { timeout: 240_000 }, () => {
  it("shows one run to two pages, each at its own place", async () => {
    const { send, events } = moved;
    const { body } = await send("POST", "api/runs", {
      prompts: ["a fox"],
      seeds: [0, 1],
      size: SIZE,
      mode: "base",
      steps: 4,
    });
    const { id } = z.object({ id: z.string() }).parse(body);
    const [one, two] = await Promise.all([events(id), events(id, { until: "step" })]);
    const rest = await events(id, { after: two.at(-1)?.id ?? 0 });
    expect([...two, ...rest]).toEqual(one);
    expect(one.at(-1)?.data).toMatchObject({ state: "done" });
  });

  it("says which file is gone when a model is deleted, and goes on", async () => {
    const { send, events } = moved;
    rmSync(path.join(models, "distilled"), { recursive: true });
    const submitted = await send("POST", "api/runs", {
      prompts: ["a fox"],
      seeds: [0],
      size: { width: 128, height: 128 },
    });
    const reason =
      submitted.status === 202
        ? (await events(z.object({ id: z.string() }).parse(submitted.body).id)).at(-1)?.data
        : submitted.body;
    expect(JSON.stringify(reason)).toContain(path.join(models, "distilled"));
    expect((await send("GET", "api/queue")).status).toBe(200);
    const base = await send("POST", "api/runs", { prompts: ["a fox"], seeds: [0], size: SIZE, mode: "base", steps: 2 });
    expect(base.status).toBe(202);
    expect(moved.errors).toEqual([]);
  });

  it.skipIf(!canMount)("ends a run with that error when the disk is full, and keeps what is saved", async () => {
    const disk = path.join(temporaryFolder(), "disk");
    mkdirSync(disk);
    const words = ["studio", "--json", "--port", "0", "--threads", "1", "--workspace", path.join(disk, "studio")];
    const script = 'mount -t tmpfs -o size=500k tmpfs "$0" && exec "$@"';
    const child = spawn("unshare", ["-rm", "sh", "-c", script, disk, process.execPath, BIN, ...words]);
    let stderr = "";
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    const ended = once(child, "close");
    const [line] = await once(child.stdout, "data");
    const { url } = z.object({ url: z.string() }).parse(JSON.parse(String(line)));
    const body = JSON.stringify({
      prompts: ["a fox"],
      seeds: Array.from({ length: 200 }, (_, i) => i),
      mode: "distilled",
      steps: 1,
      size: SIZE,
    });
    const headers = { "content-type": "application/json" };
    const { id } = z
      .object({ id: z.string() })
      .parse(await (await fetch(`${url}api/runs`, { method: "POST", headers, body })).json());
    const look = async () => runSchema.parse(await (await fetch(`${url}api/runs/${id}`)).json());
    let run = await look();
    while (run.state === "queued" || run.state === "running") run = await look();
    expect(run).toMatchObject({
      state: "failed",
      error: { message: expect.stringMatching(/the disk is full; make room/) },
    });
    expect(run.images.length).toBeGreaterThan(3);
    for (const image of run.images) expect((await fetch(new URL(image.url, url))).status).toBe(200);
    const lora = await fetch(`${url}api/adapters?name=a.safetensors`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body: new Uint8Array(2_000_000),
    });
    expect([lora.status, await lora.text()]).toEqual([503, expect.stringMatching(/the disk is full/)]);
    child.kill("SIGINT");
    const [status] = await ended;
    expect(status).toBe(0);
    expect(stderr).not.toMatch(/internal error/);
  });
});
