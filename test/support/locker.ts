/** A process that takes a lock so many times, and half of the time leaves it as if it had been killed: `locker.ts FILE TIMES`. */
import { appendFileSync, mkdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { tryLock } from "../../src/files/index.js";

const [file = "", times] = process.argv.slice(2);
const DEAD = 2 ** 22 + 1;

for (let held = 0; held < Number(times); ) {
  const attempt = await tryLock(file);
  await turn();
  if (!("release" in attempt)) continue;
  // Fails where another process is inside.
  mkdirSync(`${file}-inside`);
  await turn();
  rmdirSync(`${file}-inside`);
  appendFileSync(`${file}-log`, "alone\n");
  if (held++ % 2 === 0) await attempt.release();
  else {
    const owner: object = JSON.parse(readFileSync(file, "utf8"));
    writeFileSync(`${file}-${process.pid}`, JSON.stringify({ ...owner, process: DEAD }));
    renameSync(`${file}-${process.pid}`, file);
  }
}
