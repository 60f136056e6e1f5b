import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { work } from "../../src/experiments/index.js";
import { type Batch, openQueue, type WorkQueue } from "../../src/fleet/index.js";
import { definitionOf, tablesIn, until, variegate } from "../support/fleet.js";
import { temporaryFolder } from "../support/folder.js";
import { runProgram } from "../support/program.js";
import { NO_REDIS, type RedisServer, startRedis } from "../support/redis.js";

const root = temporaryFolder();
const folder = (name: string) => path.join(root, name);
function written(name: string, value: unknown): string {
  const file = folder(`${name}.json`);
  writeFileSync(file, JSON.stringify(value));
  return file;
}
const file = written("small", definitionOf("small", 1, 2));
const other = written("other", { ...definitionOf("small", 2, 3), title: "Other" });
/** An error is one or two lines. */
const linesOf = (text: string) => text.trim().split("\n");

describe.skipIf(NO_REDIS)("refusals of a fleet", { timeout: 240_000 }, () => {
  let redis: RedisServer;
  let queue: WorkQueue;
  let batch: Batch;
  const store = folder("store");
  beforeAll(async () => {
    redis = await startRedis();
    queue = await openQueue(redis.url);
    const run = variegate(["experiment", "run", file, "--queue", redis.url, "--store", store, "--out", folder("out")]);
    await until(async () => (await queue.batches()).length === 1, "the experiment is on the queue");
    run.child.kill("SIGINT");
    expect(await run.ended).toBe(130);
    batch = (await queue.batches())[0] as Batch;
  }, 240_000);
  afterAll(() => queue?.close());

  const attempt = (models: Parameters<typeof work>[0]["models"] = {}, place = store) =>
    work({ queue: redis.url, store: place, models, concurrency: 1, untilDone: true });

  it("of a worker without the models", async () => {
    await expect(attempt({ base: folder("nowhere") })).rejects.toThrow("nowhere");
  });

  it("of a worker with other models, by both fingerprints", async () => {
    const message =
      /experiment small, row "row-0": the models here have the fingerprint \w+ \w+, the experiment's \w+ \w+;/;
    await expect(attempt({ distilled: "embedded:base" })).rejects.toThrow(message);
    // The reason is shown to those who wait for the experiment.
    expect((await queue.workers()).map((w) => w.doing)).toContainEqual(expect.stringMatching(/ended: .*fingerprint/));
  });

  it("of a worker with another store, by both", async () => {
    const message = new RegExp(
      `keeps its results in ${store} \\(store \\w{12}\\); --store ${folder("elsewhere")} is store \\w{12}`,
    );
    await expect(attempt({}, folder("elsewhere"))).rejects.toThrow(message);
  });

  it("of a worker of another version, by both", async () => {
    const job = z.looseObject({ program: z.string() }).parse(batch.job);
    await queue.add({ ...batch, job: { ...job, program: "Variegate 9.9.9 with ONNX Runtime 9" } }, []);
    await expect(attempt()).rejects.toThrow(
      `experiment small was started by Variegate 9.9.9 with ONNX Runtime 9; this worker is ${job.program}`,
    );
    await queue.add(batch, []);
  });

  it("of a second experiment of the same name, unless it gets another", async () => {
    const args = ["experiment", "run", other, "--queue", redis.url, "--store", store, "--out", folder("second")];
    const second = variegate(args);
    expect(await second.ended).toBe(2);
    expect(second.output()).toMatch(/already has an experiment small with other cells .*--as NAME/);
    expect(linesOf(second.output())).toHaveLength(1);
    // None of the refused workers had a cell.
    expect(await queue.counts("small")).toEqual({ waiting: 1, delayed: 0, running: 0, failed: 0 });
  });

  it("of a server that is not there, one that asks for a password, and a store that cannot be written", async () => {
    writeFileSync(folder("file"), "");
    const locked = await startRedis(["--requirepass", "open-sesame"]);
    const withWrong = locked.url.replace("redis://", "redis://:guess@");
    const cases: readonly (readonly [string, string, number, RegExp])[] = [
      ["redis://127.0.0.1:9", store, 4, /--queue redis:\/\/127\.0\.0\.1:9 cannot be reached \(ECONNREFUSED\)/],
      [locked.url, store, 2, /refuses the connection \(no password was given\).*VARIEGATE_REDIS_PASSWORD/],
      [withWrong, store, 2, /refuses the connection \(user default\): WRONGPASS/],
      [redis.url, path.join(folder("file"), "x"), 3, /file is not a folder.*choose another --store/],
      [redis.url, "ftp://x/y", 2, /expected s3:\/\/bucket/],
      ["amqp://x", store, 2, /expected redis:\/\//],
    ];
    await Promise.all(
      cases.map(async ([url, place, code, message]) => {
        const program = variegate(["worker", "--queue", url, "--store", place]);
        expect(await program.ended, program.output()).toBe(code);
        expect(program.output()).toMatch(message);
        expect(linesOf(program.output())).toHaveLength(1);
        expect(program.output()).not.toContain("guess");
      }),
    );
  });

  it("of options that do not fit", async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [["experiment", "table3", "--queue", redis.url], /--queue needs --store beside it/],
      [["experiment", "table3", "--lease", "5"], /--lease applies to an experiment on a queue/],
      [
        ["experiment", "run", file, "--queue", redis.url, "--store", store, "--workers", "2"],
        /--workers is for one machine/,
      ],
      [["experiment", "status", "nothing", "--queue", redis.url], /has no experiment nothing; it has small/],
      [["experiment", "cancel", "--queue", redis.url], /needs the name of an experiment; it has small/],
      [["experiment", "status"], /needs --queue/],
      [["worker", "--queue", redis.url], /--queue needs --store/],
    ];
    for (const [args, message] of cases) {
      const { status, stderr } = await runProgram(args);
      expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringMatching(message) });
    }
  });
});

const NO_OPENSSL = NO_REDIS ?? (spawnSync("openssl", ["version"]).status === 0 ? null : "openssl is not installed");

describe.skipIf(NO_OPENSSL)("a server with TLS and users", { timeout: 240_000 }, () => {
  it("is used with the rights of an ACL user, whose password is shown nowhere", async () => {
    const [key, certificate] = [folder("key.pem"), folder("cert.pem")];
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    spawnSync("openssl", [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-days",
      "2",
      "-keyout",
      key,
      "-out",
      certificate,
      ...subject,
    ]);
    const tls = [
      "--tls-cert-file",
      certificate,
      "--tls-key-file",
      key,
      "--tls-ca-cert-file",
      certificate,
      "--tls-auth-clients",
      "no",
    ];
    const rules = "on >open-sesame ~variegate:* +@all -@dangerous +info";
    const server = await startRedis([...tls, "--user", "default", "off", "--user", "fleet", ...rules.split(" ")]);
    const url = `rediss://localhost:${server.port}`;
    const env = { NODE_EXTRA_CA_CERTS: certificate };
    const inUrl = url.replace("rediss://", "rediss://fleet:open-sesame@");
    const [store, out] = [folder("tls-store"), folder("tls")];

    const own = variegate(["worker", "--queue", inUrl, "--store", store, "--json"], { env });
    const login = { VARIEGATE_REDIS_USERNAME: "fleet", VARIEGATE_REDIS_PASSWORD: "open-sesame" };
    await until(() => own.output().includes("worker "), "the worker is connected");
    if (process.platform === "linux") {
      const shown = readFileSync(`/proc/${own.child.pid}/cmdline`, "utf8");
      expect(shown).toContain("***@localhost");
      expect(shown).not.toContain("sesame");
    }
    const run = variegate(["experiment", "run", file, "--queue", url, "--store", store, "--out", out, "--json"], {
      env: { ...env, ...login },
    });
    expect(await run.ended, run.output()).toBe(0);
    expect(tablesIn(out)).toContain("row-0");
    own.child.kill("SIGTERM");
    await own.ended;
    const left = ["report.md", "report.html", "results.json", "definitions.json"].map((name) =>
      readFileSync(path.join(out, name), "utf8"),
    );
    for (const text of [own.output(), run.output(), ...left]) expect(text).not.toContain("sesame");

    // The user has no other rights, and without the authority there is no connection.
    const raw = new Redis({
      port: server.port,
      username: "fleet",
      password: "open-sesame",
      tls: { ca: readFileSync(certificate) },
      lazyConnect: true,
    });
    await raw.connect();
    await expect(raw.set("elsewhere", "1")).rejects.toThrow("NOPERM");
    raw.disconnect();
    const strange = variegate(["worker", "--queue", inUrl, "--store", store]);
    expect(await strange.ended).toBe(4);
    expect(strange.output()).toMatch(/cannot be reached \((DEPTH_ZERO_)?SELF_SIGNED_CERT/);
  });
});
