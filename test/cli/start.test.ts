import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { temporaryFolder } from "../support/folder.js";

const BIN = fileURLToPath(new URL("../../bin/variegate.js", import.meta.url));

const coverage = z.object({ result: z.array(z.object({ url: z.string() })) });

/** Packages that a command loads: V8 lists every script in its coverage. */
function loaded(...args: string[]) {
  const folder = temporaryFolder();
  const env = { ...process.env, NODE_V8_COVERAGE: folder };
  const { status } = spawnSync(process.execPath, [BIN, ...args], { env });
  const scripts = readdirSync(folder).flatMap(
    (file) => coverage.parse(JSON.parse(readFileSync(path.join(folder, file), "utf8"))).result,
  );
  const names = scripts.map(({ url }) => /.*node_modules\/(@[^/]+\/[^/]+|[^/]+)/.exec(url)?.[1]);
  return { status, packages: new Set(names.filter((name) => name !== undefined)) };
}

/** Packages that no help and no error of an option needs. */
const SLOW = [
  ...["onnxruntime-node", "sharp", "@observablehq/plot", "linkedom", "yaml", "hyparquet-writer"],
  ...["@bufbuild/protobuf", "@huggingface/tokenizers", "ml-matrix", "cli-progress"],
  ...["hono", "@hono/node-server", "@hono/zod-openapi", "node-sqlite3-wasm"],
  ...["bullmq", "ioredis", "@aws-sdk/client-s3", "@aws-sdk/lib-storage"],
];

describe("start", { timeout: 240_000 }, () => {
  it.each([
    [0, ["--help"]],
    [0, ["generate", "--help"]],
    [0, ["adapter", "extract", "--help"]],
    [0, ["experiment", "--help"]],
    [0, ["worker", "--help"]],
    [0, ["studio", "--help"]],
    [2, ["generate", "a fox", "--no-such-option"]],
    [2, ["generate", "a fox", "--steps", "many"]],
  ])("exit %i from %s comes without the packages that take long to load", (code, args) => {
    const { status, packages } = loaded(...args);
    expect(status).toBe(code);
    expect(packages).toContain("commander");
    for (const slow of SLOW) expect(packages).not.toContain(slow);
  });

  it("lists the commands without zod, which describes options", () => {
    expect(loaded("--help").packages).not.toContain("zod");
    expect(loaded("generate", "--help").packages).toContain("zod");
  });
});
