/**
 * Compiles src/ to dist/, joins the program into dist/program and builds the page of the studio into dist/studio, each if its sources are newer.
 * vitest runs this before tests, which use the program, the model worker and the page in dist/. Needs Node only.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const time = (file) => statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
const COMPILED = join("dist", ".tsbuildinfo");
const PROGRAM = join("dist", "program", "main.js");
const PAGE = join("dist", "studio", "index.html");

/** Time of the newest of these files and of all files in a folder. */
function newest(folder, ...files) {
  const sources = readdirSync(join(root, folder), { recursive: true }).map((file) => join(folder, String(file)));
  return Math.max(...[...sources, ...files].map(time));
}

/** Runs a program of a package. It prints to stderr, so that stdout has the output of the following command only. */
const run = (program, ...args) =>
  spawnSync(process.execPath, [join(root, "node_modules", program), ...args], { stdio: ["ignore", 2, 2] }).status ?? 1;

function compile() {
  if (time(COMPILED) >= newest("src", "tsconfig.json", "tsconfig.build.json")) return 0;
  process.stderr.write("Building …\n");
  const status = run("typescript/bin/tsc", "-p", join(root, "tsconfig.build.json"));
  // tsc does not update its build info if only times have changed.
  if (status === 0) utimesSync(join(root, COMPILED), new Date(), new Date());
  return status;
}

function bundle() {
  if (time(PROGRAM) >= Math.max(time(COMPILED), time(join("scripts", "bundle.js")))) return 0;
  return spawnSync(process.execPath, [join(root, "scripts", "bundle.js")], { stdio: ["ignore", 2, 2] }).status ?? 1;
}

function buildPage() {
  if (time(PAGE) >= newest("studio")) return 0;
  process.stderr.write("Building the page of the studio …\n");
  return run("vite/bin/vite.js", "build", join(root, "studio"), "--logLevel", "warn");
}

const WEB = join("dist", "web", "index.html");

/** Builds the page whose engine is in the page, if its sources are newer. Returns the exit status. */
export function buildWeb() {
  if (time(WEB) >= Math.max(newest("src"), newest("studio"), newest("embedded"))) return 0;
  process.stderr.write("Building the page with its engine …\n");
  return run("vite/bin/vite.js", "build", "--config", join(root, "studio", "vite.web.config.ts"), "--logLevel", "warn");
}

/** Compiles and builds. Returns the exit status of what failed; 0 if all is up to date. */
export const build = () => compile() || bundle() || buildPage();

/** Global setup of vitest, repeated before each run in watch mode. Files are written despite type errors, which `npm run types` reports. */
export default function setup(project) {
  build();
  project.onTestsRerun(() => void build());
}
