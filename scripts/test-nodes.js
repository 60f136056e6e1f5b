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

/** The registry from which npm gets Node itself. Without it, npm would fail late, with a list of its own files. */
async function mustReachRegistry() {
  const { stdout } = spawnSync("npm", ["config", "get", "registry"], {
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  const registry = stdout.trim();
  try {
    await fetch(new URL("node", registry), { method: "HEAD", signal: AbortSignal.timeout(20_000) });
  } catch (error) {
    const why = error.cause?.code ?? error.message;
    process.stderr.write(
      `${registry} cannot be reached (${why}); the versions of Node come from there, unless npm has cached them: set npm_config_prefer_offline=true\n`,
    );
    process.exit(1);
  }
}

const asked = process.argv.slice(2);
if (process.env.npm_config_prefer_offline !== "true") await mustReachRegistry();
for (const node of asked.length > 0 ? asked : NODES) {
  process.stdout.write(`\nNode ${node}\n`);
  // A busy machine is not a fault of a version.
  const args = [
    "-y",
    "-p",
    `node@${node}`,
    "-c",
    `node --version && node node_modules/vitest/vitest.mjs run --testTimeout 60000 ${QUICK.join(" ")}`,
  ];
  const start = performance.now();
  const { status } = spawnSync("npx", args, { stdio: "inherit", shell: process.platform === "win32" });
  process.stdout.write(`Node ${node}: ${Math.round((performance.now() - start) / 1000)} s\n`);
  if (status !== 0) {
    process.stderr.write(`the quick tests fail on Node ${node}\n`);
    process.exitCode = 1;
  }
}
