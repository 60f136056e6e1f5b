/** Compiles src/ to dist/ where it is newer. vitest runs this before tests, which start the program and the model worker from dist/. Uses nothing but Node. */
import { spawnSync } from "node:child_process";
import { readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const time = (file) => statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
const COMPILED = join("dist", ".tsbuildinfo");

/** Returns the compiler's exit status; 0 when there was nothing to do. */
export function build() {
  const sources = readdirSync(join(root, "src"), { recursive: true }).map((file) => join("src", String(file)));
  const newest = Math.max(...[...sources, "tsconfig.json", "tsconfig.build.json"].map(time));
  if (time(COMPILED) >= newest) return 0;
  process.stderr.write("Building …\n");
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  // Everything goes to stderr, so that the output of the command that follows stays clean.
  const stdio = ["ignore", 2, 2];
  const { status } = spawnSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")], { stdio });
  // tsc leaves its record alone when only times have changed.
  if (status === 0) utimesSync(join(root, COMPILED), new Date(), new Date());
  return status ?? 1;
}

/** vitest's global setup, repeated before each run in watch mode. Files are written in spite of type errors, which `npm run types` reports. */
export default function setup(project) {
  build();
  project.onTestsRerun(() => void build());
}
