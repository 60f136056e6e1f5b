/** Compiles src/ to dist/ if it is newer. vitest runs this before tests, which use the program and the model worker in dist/. Needs Node only. */
import { spawnSync } from "node:child_process";
import { readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const time = (file) => statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
const COMPILED = join("dist", ".tsbuildinfo");

/** Compiles. Returns the exit status of the compiler; 0 if dist/ is up to date. */
export function build() {
  const sources = readdirSync(join(root, "src"), { recursive: true }).map((file) => join("src", String(file)));
  const newest = Math.max(...[...sources, "tsconfig.json", "tsconfig.build.json"].map(time));
  if (time(COMPILED) >= newest) return 0;
  process.stderr.write("Building …\n");
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  // Prints to stderr, so that stdout has the output of the following command only.
  const stdio = ["ignore", 2, 2];
  const { status } = spawnSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")], { stdio });
  // tsc does not update its build info if only times have changed.
  if (status === 0) utimesSync(join(root, COMPILED), new Date(), new Date());
  return status ?? 1;
}

/** Global setup of vitest, repeated before each run in watch mode. Files are written despite type errors, which `npm run types` reports. */
export default function setup(project) {
  build();
  project.onTestsRerun(() => void build());
}
