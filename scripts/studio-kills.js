/**
 * Kills `variegate studio` (kill -9) while it generates, starts it again on the same workspace, and checks that everything that a client had been
 * told was saved is there: runs that were accepted, images that were announced, favourites, and removed runs that stay away.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync, watch } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const PROMPTS = ["a cartoon character", "a red cartoon character", "a cartoon character wearing a crown"];
/** Seeds of a run. */
const SEEDS = [0, 1, 2, 3, 4, 5];
/** Most changes in the workspace before a kill: about those of four runs. */
const MOST_CHANGES = 160;

/** Starts the studio. Resolves with its address once it listens. */
async function startStudio(bin, workspace) {
  const words = ["studio", "--port", "0", "--json", "--quiet", "--threads", "1", "--workspace", workspace];
  const child = spawn(process.execPath, [bin, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const closed = once(child, "close");
  const [line] = await Promise.race([once(child.stdout, "data"), closed.then(() => [""])]);
  if (!`${line}`.startsWith("{")) throw new Error(`the studio ended: ${stderr}`);
  return { url: JSON.parse(`${line}`.split("\n", 1)[0]).url, child, closed };
}

/** Resolves after so many changes in a folder. */
function changes(folder, count) {
  return new Promise((resolve) => {
    let left = count;
    const watcher = watch(folder, { recursive: true }, () => {
      left--;
      if (left > 0) return;
      watcher.close();
      resolve();
    });
  });
}

/** What a client was told, over all kills. */
const nothing = () => ({ runs: new Set(), removed: new Set(), images: new Map(), favourites: new Set() });

/** Uses a studio until it is gone, and notes each answer: it posts runs, follows them, favours every third image and removes every second run. */
async function use(url, told, kill) {
  const ask = async (method, route, body) => {
    const answer = await fetch(new URL(route, url), {
      ...{ method, headers: body ? { "content-type": "application/json" } : {} },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${route}: ${answer.status} ${text}`);
    return text === "" ? null : JSON.parse(text);
  };
  for (let n = 0; ; n++) {
    const seeds = SEEDS.map((seed) => 1_000 * kill + 100 * n + seed);
    const run = await ask("POST", "/api/runs?previews=all", { prompts: [PROMPTS[n % PROMPTS.length]], seeds });
    told.runs.add(run.id);
    const { body } = await fetch(new URL(run.events, url));
    let text = "";
    for await (const bytes of body) {
      text += Buffer.from(bytes).toString();
      const blocks = text.split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const [, type, data] = /^event: (.*)\ndata: (.*)\nid: /.exec(block) ?? [];
        if (type !== "image") continue;
        const { image } = JSON.parse(data);
        told.images.set(image.id, image);
        if (told.images.size % 3 !== 0) continue;
        await ask("PATCH", `/api/images/${image.id}`, { favourite: true });
        told.favourites.add(image.id);
      }
    }
    if ((n + kill) % 2 === 0) continue;
    // Whether it is gone is not known until it is answered.
    forget(told, run.id);
    await ask("DELETE", `/api/runs/${run.id}`);
    told.removed.add(run.id);
  }
}

function forget(told, run) {
  told.runs.delete(run);
  for (const { id } of [...told.images.values()].filter((image) => image.run === run)) {
    told.images.delete(id);
    told.favourites.delete(id);
  }
}

/** Checks a studio that was started again against what was told before. */
async function check(url, told, workspace, must) {
  const get = (route) => fetch(new URL(route, url));
  for (const run of told.runs) {
    const answer = await get(`/api/runs/${run}`);
    must(answer.status === 200, `run ${run} is lost: ${answer.status}`);
    const { state } = await answer.json();
    must(/^(done|interrupted)$/.test(state), `run ${run} is ${state}`);
  }
  for (const run of told.removed) {
    const { status } = await get(`/api/runs/${run}`);
    must(status === 404, `run ${run} was removed and is back: ${status}`);
  }
  for (const { id, sha256 } of told.images.values()) {
    const bytes = Buffer.from(await (await get(`/api/images/${id}`)).arrayBuffer());
    must(createHash("sha256").update(bytes).digest("hex") === sha256, `image ${id} is not the one that was announced`);
  }
  const kept = new Set();
  for (let before = ""; ; ) {
    const { images } = await (await get(`/api/favourites?limit=200${before}`)).json();
    for (const { id } of images) kept.add(id);
    if (images.length < 200) break;
    before = `&before=${images.at(-1).id}`;
  }
  for (const id of told.favourites) must(kept.has(id), `image ${id} is no favourite any more`);
  const named = new Set();
  for (let before = ""; ; ) {
    const { runs } = await (await get(`/api/runs?limit=200${before}`)).json();
    for (const { images } of runs) for (const { id } of images) named.add(`${id}.png`);
    if (runs.length < 200) break;
    before = `&before=${runs.at(-1).id}`;
  }
  const files = readdirSync(path.join(workspace, "images"));
  must(files.sort().join() === [...named].sort().join(), "files and history name other images");
}

/**
 * Kills a studio `count` times at random moments. `random`: numbers from 0 to 1; `must`: throws where a check fails. Resolves with a sentence
 * that counts what was kept.
 */
export async function killStudio({ bin, workspace, count, random, must }) {
  const told = nothing();
  let whole = 0;
  for (let kill = 0; kill <= count; kill++) {
    const { url, child, closed } = await startStudio(bin, workspace);
    try {
      await check(url, told, workspace, must);
      if (kill === count) {
        child.kill("SIGTERM");
        break;
      }
      const used = use(url, told, kill).catch((error) => error);
      await changes(workspace, 1 + Math.floor(random() * MOST_CHANGES));
      // Anywhere in what follows a change, too.
      if (random() < 0.5) await sleep(random() * 100);
      child.kill("SIGKILL");
      await closed;
      const error = await used;
      // Its connections end with it; whatever was answered is in `told`.
      must(!/^(POST|PATCH|DELETE|GET) /.test(error.message), error.message);
      whole++;
    } finally {
      child.kill("SIGKILL");
      await closed;
    }
  }
  const { runs, images, favourites, removed } = told;
  return `${whole} kills of the server; ${runs.size} runs, ${images.size} images, ${favourites.size} favourites kept, ${removed.size} removed runs stayed away`;
}
