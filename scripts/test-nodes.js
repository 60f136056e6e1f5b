/**
 * Runs the quick tests on every supported major version of Node, each fetched once from npm's package `node`. The first is the floor of
 * package.json; the build and the packages are those of the running Node. Quick tests need no model download and finish within minutes.
 *
 *     npm run test:nodes             all versions
 *     npm run test:nodes -- 24       one
 */
import { spawnSync } from "node:child_process";

const NODES = ["20", "22", "24"];
/** Images, files, workers, command line and package: what differs between versions of Node. */
const QUICK = [
  "test/package.test.ts",
  "test/checkpoint",
  "test/files",
  "test/generate/images.test.ts",
  "test/generate/generate.test.ts",
  "test/runtime",
  "test/sampling",
  "test/tensor",
  "test/cli/start.test.ts",
  "test/cli/generate.test.ts",
];

const asked = process.argv.slice(2);
for (const node of asked.length > 0 ? asked : NODES) {
  process.stdout.write(`\nNode ${node}\n`);
  const args = [
    "-y",
    "-p",
    `node@${node}`,
    "-c",
    `node --version && node node_modules/vitest/vitest.mjs run ${QUICK.join(" ")}`,
  ];
  const { status } = spawnSync("npx", args, { stdio: "inherit", shell: process.platform === "win32" });
  if (status !== 0) {
    process.stderr.write(`the quick tests fail on Node ${node}\n`);
    process.exitCode = 1;
  }
}
