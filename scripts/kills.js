/**
 * Kills an experiment, runs of generate, compare and slide, and a download from a local Hub server (kill -9), resumes them, and checks after each kill and at the
 * end that no result is lost, partial or counted twice. Half of the kills happen at a random time, half right after a change in the folder,
 * while files are being written. Exits with 1 and the name of the folder if a check fails.
 *
 *     node scripts/kills.js [--kills 200] [--seed 1] [--only experiment|generate|compare|slide|download|studio]
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { tsImport } from "tsx/esm/api";
import { killStudio } from "./studio-kills.js";

const { startHub, filesOf, blobName } = await tsImport("../test/support/hub.ts", import.meta.url);
const BIN = fileURLToPath(new URL("../bin/variegate.js", import.meta.url));
const { kills, seed, only } = parseArgs({
  options: { kills: { type: "string" }, seed: { type: "string" }, only: { type: "string" } },
}).values;

const root = mkdtempSync(path.join(tmpdir(), "variegate-kills-"));
const print = (line) => process.stdout.write(`${line}\n`);
const random = generatorOf(Number(seed ?? 1));
const isPartial = (name) => name.endsWith(".partial");

/** Random generator of numbers from 0 to 1 (mulberry32). */
function generatorOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

class CheckError extends Error {}
function must(holds, what) {
  if (!holds) throw new CheckError(what);
}

/** Paths of files in a folder and its subfolders, without temporary files. */
function filesIn(dir, keep = (name) => !isPartial(name)) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((e) => !e.isDirectory() && keep(e.name))
    .map((e) => path.relative(dir, path.join(e.parentPath, e.name)));
}
/** Parsed lines of a JSON Lines file; null for a partial line. */
const linesOf = (file) =>
  (existsSync(file) ? readFileSync(file, "utf8").split("\n") : []).filter(Boolean).map((line) => {
    try {
      return JSON.parse(line);
    } catch {
      return null;
    }
  });
/** Checks that files of a folder equal those of an uninterrupted run. */
function mustEqual(dir, reference, which) {
  const names = filesIn(dir).filter((name) => which.test(name));
  for (const name of names) {
    const known = path.join(reference, name);
    must(existsSync(known), `${name} is not a file of an uninterrupted run`);
    must(readFileSync(known).equals(readFileSync(path.join(dir, name))), `${name} differs from an uninterrupted run's`);
  }
  return names;
}
const mustBeTidy = (dir) => {
  // Locks in caches stay until they are needed again.
  const left = filesIn(
    dir,
    (name) => (isPartial(name) && !/\w\.lock\b/.test(name)) || /^lock|\.incomplete$/.test(name),
  );
  must(left.length === 0, `${left.join(", ")} left behind`);
};

const PROMPTS = ["a cartoon character", "a red cartoon character", "a cartoon character wearing a crown"];
const DEFINITION = {
  name: "kills",
  title: "Kills",
  prompts: PROMPTS,
  seeds: 3,
  rows: ["distilled", "base", 1, 2, 3].map((k) => ({
    name: `row ${k}`,
    sampling: typeof k === "number" ? { mode: "hybrid", switch: k } : { mode: k },
  })),
  measures: ["distance", "entropy", "calls"],
};
/** Number of cells: each row is small enough for one. */
const CELLS = DEFINITION.rows.length;

const experiment = {
  /** Every second run uses two worker processes. */
  command: (dir, run) => {
    const file = path.join(root, "definition.json");
    writeFileSync(file, JSON.stringify(DEFINITION));
    const workers = String(1 + (run % 2));
    return ["experiment", "run", file, "--out", dir, "--resume", "--threads", "1", "--workers", workers];
  },
  afterKill: (dir, before = { cells: new Set(), cut: 0 }) => {
    const lines = linesOf(path.join(dir, "results.jsonl"));
    const cells = new Set(lines.flatMap((line) => line?.cell ?? []));
    for (const cell of before.cells) must(cells.has(cell), `cell ${cell} is lost`);
    const cut = lines.filter((line) => line === null).length;
    must(cut - before.cut <= 1, `one kill cut ${cut - before.cut} lines`);
    for (const name of filesIn(path.join(dir, "samples"))) JSON.parse(readFileSync(path.join(dir, "samples", name)));
    return { cells, cut };
  },
  atEnd: (dir, reference) => {
    mustBeTidy(dir);
    must(!existsSync(path.join(dir, "queue")), "the queue is left behind");
    const cells = linesOf(path.join(dir, "results.jsonl")).flatMap((line) => line?.cell ?? []);
    must(new Set(cells).size === CELLS, `${new Set(cells).size} of ${CELLS} cells`);
    const tables = (folder) => JSON.stringify(JSON.parse(readFileSync(path.join(folder, "results.json"))).tables);
    must(tables(dir) === tables(reference), "the tables differ from an uninterrupted run's");
    must(mustEqual(dir, reference, /^samples/).length === CELLS, "samples are missing");
  },
};

/** A command that resumes with its intact images. `files`: those of a whole run; `results`: files that are equal in every run. */
const resumed = (words, files, results, record = "run.json") => ({
  command: (dir) => [...words, "--threads", "1", "--out", dir, "--resume"],
  afterKill: (dir, before = { images: [] }, reference) => {
    const images = linesOf(path.join(dir, "events.jsonl")).filter((event) => event?.type === "image");
    for (const { file } of before.images)
      must(
        images.some((i) => i.file === file),
        `${file} is lost from the log`,
      );
    mustEqual(dir, reference, /\.(png|safetensors)$/);
    for (const { file } of images) must(existsSync(path.join(dir, file)), `${file} is in the log, but no file`);
    return { images };
  },
  atEnd: (dir, reference) => {
    mustBeTidy(dir);
    const run = JSON.parse(readFileSync(path.join(dir, record)));
    const listed = run.files.map(({ file }) => file).sort();
    must(listed.join() === files.toSorted().join(), `${record} lists ${listed.join()}`);
    for (const { file, sha256 } of run.files) {
      const hash = createHash("sha256")
        .update(readFileSync(path.join(dir, file)))
        .digest("hex");
      must(hash === sha256, `${file} is not what ${record} says`);
    }
    const equal = mustEqual(dir, reference, results);
    must(equal.length === files.length, `${equal.length} of ${files.length} files`);
  },
});

const generate = resumed(
  ["generate", PROMPTS[1], "--seeds", "0-5", "--batch", "1", "--compute", "int8", "--save-latents"],
  [0, 1, 2, 3, 4, 5].flatMap((i) => [`${i}.png`, `${i}.safetensors`]),
  /^\d+\.(png|safetensors)$/,
);
const compare = resumed(
  ["compare", PROMPTS[1], "--seeds", "0-2", "--batch", "1"],
  ["sheet.png", ...[0, 1, 2].flatMap((i) => ["base", "distilled", "hybrid"].map((mode) => `${mode}/${i}.png`))],
  /\.png$/,
);
const slide = resumed(
  [
    "slide",
    PROMPTS[1],
    "--slider",
    "smile.base",
    "--scales",
    "0,1",
    "--seeds",
    "0-1",
    "--mode",
    "base,hybrid",
    "--batch",
    "1",
  ],
  [
    "strips.png",
    "slide.html",
    ...["base/0_0", "base/0_1", "base/1_0", "base/1_1"].flatMap((i) => [
      `${i}.png`,
      `${i.replace("base", "hybrid")}.png`,
    ]),
  ],
  /\.(png|html)$/,
  "slide.json",
);

const REPOSITORY = "tiny/base";
const FILES = filesOf(new URL("../embedded/base", import.meta.url));
const BYTES = new Map(Object.entries(FILES).map(([name, bytes]) => [blobName(name, bytes), bytes]));
const hub = await startHub({ [REPOSITORY]: { revisions: { main: FILES } } });
hub.mischief = (asked) => (asked.at === "store" ? { slow: 15 } : undefined);

const download = {
  command: () => ["models", "pull", REPOSITORY],
  afterKill: (dir, before = { sizes: new Map() }) => {
    mustResume(before.sizes);
    const sizes = new Map();
    for (const name of filesIn(path.join(dir, "hub")).filter((file) => file.includes(`${path.sep}blobs${path.sep}`))) {
      const whole = BYTES.get(path.basename(name, ".incomplete"));
      must(whole, `${name} is no blob`);
      const found = readFileSync(path.join(dir, "hub", name));
      must(found.equals(whole.subarray(0, found.length)), `${name} holds other bytes`);
      must(name.endsWith(".incomplete") || found.length === whole.length, `${name} is cut short`);
      sizes.set(path.basename(name, ".incomplete"), found.length);
    }
    for (const [hash, size] of before.sizes) must((sizes.get(hash) ?? 0) >= size, `bytes of ${hash} are lost`);
    hub.asked.length = 0;
    return { sizes };
  },
  atEnd: (dir, _reference, before = { sizes: new Map() }) => {
    mustResume(before.sizes);
    hub.asked.length = 0;
    const commit = hub.commit(REPOSITORY);
    const [model] = readdirSync(path.join(dir, "hub")).filter((name) => name.startsWith("models--"));
    const place = path.join(dir, "hub", model);
    must(readFileSync(path.join(place, "refs", "main"), "utf8") === commit, "refs/main is another commit");
    const snapshot = path.join(place, "snapshots", commit);
    for (const [name, bytes] of Object.entries(FILES)) {
      const file = path.join(snapshot, name);
      if (!existsSync(file)) must(!/\.(json|txt|safetensors)$/.test(name), `${name} is missing`);
      else must(readFileSync(file).equals(bytes), `${name} holds other bytes`);
    }
    mustBeTidy(dir);
  },
};
/** Checks that partial blobs are resumed and complete blobs are not downloaded again. */
function mustResume(sizes) {
  for (const { at, url, range } of hub.asked) {
    const hash = url.slice(1).split("?")[0];
    const size = sizes.get(hash) ?? 0;
    if (at !== "store" || size === 0) continue;
    must(size < BYTES.get(hash).length, `${hash} is fetched twice`);
    must(range === `bytes=${size}-`, `${hash} is asked for by ${range}; ${size} bytes are there`);
  }
}

/** Kills a studio that generates. */
async function killedStudio(count) {
  print(
    `studio: ${await killStudio({ bin: BIN, workspace: path.join(root, "studio"), count, random, must })}; none lost`,
  );
}

/** Runs a command to its end, or kills it at `strike`. Resolves with its duration and the number of changes in the folder. */
function run(args, dir, strike) {
  const start = performance.now();
  mkdirSync(dir, { recursive: true });
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BIN, ...args, "--quiet"], {
      env: {
        ...process.env,
        ...{ XDG_CACHE_HOME: path.join(dir, "cache"), HF_HUB_CACHE: path.join(dir, "hub"), HF_ENDPOINT: hub.endpoint },
      },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let [stderr, changes] = ["", 0];
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    const timer = strike?.after === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), strike.after);
    const watcher = watch(dir, { recursive: true }, () => {
      changes++;
      if (changes === strike?.changes) child.kill("SIGKILL");
    });
    watcher.on("error", () => {});
    child.on("exit", (status, signal) => {
      clearTimeout(timer);
      watcher.close();
      if (signal === null && status !== 0) reject(new CheckError(`ended with ${status}: ${stderr}`));
      else resolve({ killed: signal !== null, milliseconds: performance.now() - start, changes });
    });
  });
}

async function killed(name, { command, afterKill, atEnd }, count) {
  const reference = path.join(root, `${name}-reference`);
  const usual = await run(command(reference, 0), reference);
  atEnd(reference, reference);
  let [done, runs] = [0, 0];
  while (done < count) {
    const dir = path.join(root, `${name}-${runs}`);
    try {
      for (let state; ; ) {
        const strike =
          random() < 0.5
            ? { after: random() * usual.milliseconds }
            : { changes: 1 + Math.floor(random() * usual.changes) };
        const { killed } = await run(command(dir, runs), dir, done < count ? strike : undefined);
        if (!killed) {
          atEnd(dir, reference, state);
          break;
        }
        done++;
        state = afterKill(dir, state, reference);
      }
    } catch (error) {
      if (error instanceof CheckError) error.message = `${dir}: ${error.message}`;
      throw error;
    }
    rmSync(dir, { recursive: true, force: true });
    runs++;
  }
  print(`${name}: ${done} kills in ${runs} runs; no result lost, partial or counted twice`);
}

const SCENARIOS = { experiment, generate, compare, slide, download, studio: null };
const chosen = Object.entries(SCENARIOS).filter(([name]) => only === undefined || name === only);
try {
  for (const [i, [name, scenario]] of chosen.entries()) {
    const total = Number(kills ?? 200);
    const count = Math.floor(((i + 1) * total) / chosen.length) - Math.floor((i * total) / chosen.length);
    await (scenario ? killed(name, scenario, count) : killedStudio(count));
  }
  rmSync(root, { recursive: true, force: true });
} catch (error) {
  process.stderr.write(`${error instanceof CheckError ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
await hub.close();
