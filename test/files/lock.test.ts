import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { type Attempt, locked, tryLock } from "../../src/files/index.js";
import { NAMESPACE } from "../../src/files/process.js";
import { temporaryFolder } from "../support/folder.js";

/** Called before and after each of the lock's calls to the system that open or remove a file. */
const pause = vi.hoisted(() => ({ at: async (_call: string, _file: string): Promise<void> => {} }));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const paused =
    <A extends [file: unknown, ...rest: unknown[]], R>(name: string, call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const does = name === "open" ? `${name} ${String(args[1])}` : name;
      await pause.at(`before ${does}`, String(args[0]));
      try {
        return await call(...args);
      } finally {
        await pause.at(`after ${does}`, String(args[0]));
      }
    };
  return { ...real, open: paused("open", real.open), link: paused("link", real.link), rm: paused("rm", real.rm) };
});
beforeEach(() => {
  pause.at = async () => {};
});

// Linux gives no process a number above 2^22.
const DEAD = 2 ** 22 + 1;
let tokens = 0;
const owner = (own: object = {}) => ({
  token: `t${tokens++}`,
  host: os.hostname(),
  namespace: NAMESPACE,
  process: DEAD,
  since: "2020-01-01T00:00:00Z",
  ...own,
});
const leave = (file: string, own: object = {}) => writeFileSync(file, JSON.stringify(owner(own)));
const age = (file: string, seconds: number) => utimesSync(file, new Date(), new Date(Date.now() - 1000 * seconds));
const fresh = () => path.join(temporaryFolder(), "lock");
const isTaken = (attempt: Attempt): boolean => "release" in attempt;
async function release(attempt: Attempt): Promise<void> {
  if (!("release" in attempt)) throw new Error(`held by ${JSON.stringify(attempt.holder)}`);
  await attempt.release();
}

describe("tryLock", { timeout: 240_000 }, () => {
  it("is taken once, says by whom, and is free again when released", async () => {
    const file = path.join(temporaryFolder(), "new", "folders", "lock");
    const before = new Date().toISOString();
    const first = await tryLock(file);
    const second = await tryLock(file);
    expect(second).toMatchObject({ holder: { host: os.hostname(), process: process.pid } });
    const since = "holder" in second ? (second.holder?.since ?? "") : "";
    expect(since >= before && since <= new Date().toISOString()).toBe(true);
    await release(first);
    expect(readdirSync(path.dirname(file))).toEqual([]);
    await release(await tryLock(file));
  });

  it.each([
    ["of a process that is gone is taken at once", {}, 0, true],
    ["of a process that runs is not", { process: process.pid }, 0, false],
    ["of a process that runs is, when it was not renewed for a minute", { process: process.pid }, 61, true],
    ["of another machine is not", { host: "elsewhere" }, 59, false],
    ["of another machine is, when it was not renewed for a minute", { host: "elsewhere" }, 61, true],
    ["of another container with this host name is not", { namespace: "pid:[1]" }, 59, false],
  ])("a lock %s", async (_, own, seconds, taken) => {
    const file = fresh();
    leave(file, own);
    age(file, seconds);
    const attempt = await tryLock(file);
    expect(isTaken(attempt)).toBe(taken);
    if (taken) await release(attempt);
    expect(existsSync(file)).toBe(!taken);
  });

  it.each(["", "{", "null", '{"token":"../../x","host":"h","process":1}'])(
    "a lock with the text %o is being written, or after some seconds dead",
    async (text) => {
      const file = fresh();
      writeFileSync(file, text);
      expect(await tryLock(file)).toEqual({ holder: null });
      age(file, 6);
      await release(await tryLock(file));
    },
  );

  it("is renewed while it is held", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const file = fresh();
    const attempt = await tryLock(file);
    age(file, 50);
    vi.advanceTimersByTime(2000);
    vi.useRealTimers();
    for (let i = 0; i < 100 && Date.now() - statSync(file).mtimeMs > 10_000; i++) await sleep(10);
    expect(Date.now() - statSync(file).mtimeMs).toBeLessThan(10_000);
    await release(attempt);
  });

  it("that was taken over is not removed by the one that lost it", async () => {
    const file = fresh();
    const first = await tryLock(file);
    age(file, 61);
    const second = await tryLock(file);
    const text = readFileSync(file, "utf8");
    await release(first);
    expect(readFileSync(file, "utf8")).toBe(text);
    await release(second);
    expect(existsSync(file)).toBe(false);
  });

  it("removes what earlier holders left that were killed while they released it, and nothing else", async () => {
    const file = fresh();
    const kept = ["lock.md", "lock.0123456789ab.md", "lock2.0123456789ab"];
    const left = ["lock.0123456789ab", "lock.0123456789ab.ba9876543210", "lock.1700000000000"];
    for (const name of [...kept, ...left]) leave(path.join(path.dirname(file), name));
    await release(await tryLock(file));
    expect(readdirSync(path.dirname(file)).sort()).toEqual([...kept].sort());
  });

  it("is free at once when its process was killed while it made it", async () => {
    const file = fresh();
    pause.at = async (call) => {
      if (call === "after open wx") throw new Error("killed");
    };
    await expect(tryLock(file)).rejects.toThrow("killed");
    pause.at = async () => {};
    await release(await tryLock(file));
  });

  it("is made without hard links where the file system has none", async () => {
    const file = fresh();
    pause.at = async (call) => {
      if (call === "before link") throw Object.assign(new Error("no links"), { code: "EPERM" });
    };
    const [first, second] = [await tryLock(file), await tryLock(file)];
    expect([first, second].map(isTaken)).toEqual([true, false]);
    await release(first);
    expect(readdirSync(path.dirname(file))).toEqual([]);
  });

  it("is released where its folder was deleted", async () => {
    const file = fresh();
    const attempt = await tryLock(file);
    rmSync(path.dirname(file), { recursive: true });
    await release(attempt);
    expect(existsSync(file)).toBe(false);
  });

  it("dead, is removed once: one that paused between reading and removing leaves the next lock alone", async () => {
    const file = fresh();
    leave(file);
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    // The first to remove the lock waits before it does; the others do not.
    let [slow, reached] = [true, false];
    pause.at = async (call, at) => {
      if (call !== "before rm" || at !== file || !slow) return;
      slow = false;
      reached = true;
      await gate;
    };
    const paused = tryLock(file);
    while (!reached) await turn();
    const others = await Promise.all([tryLock(file), tryLock(file)]);
    go();
    const all = [...others, await paused];
    expect(all.filter(isTaken)).toHaveLength(1);
    for (const attempt of all.filter(isTaken)) await release(attempt);
    expect(readdirSync(path.dirname(file))).toEqual([]);
  });

  it("read as dead a while ago, is another's by now", async () => {
    const file = fresh();
    leave(file);
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    // The first waits when it has opened the dead lock to read it, before it does anything about it.
    let reached = false;
    pause.at = async (call) => {
      if (call !== "after open r" || reached) return;
      reached = true;
      await gate;
    };
    const paused = tryLock(file);
    while (!reached) await turn();
    const next = await tryLock(file);
    const text = readFileSync(file, "utf8");
    go();
    expect(isTaken(next)).toBe(true);
    expect(await paused).toMatchObject({ holder: { process: process.pid } });
    expect(readFileSync(file, "utf8")).toBe(text);
    await release(next);
    expect(readdirSync(path.dirname(file))).toEqual([]);
  });

  it("has one holder whatever pauses there are between its steps", async () => {
    for (let round = 0; round < 40; round++) {
      const file = fresh();
      leave(file);
      let seed = round;
      const random = (n: number) => {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        return Math.floor((seed / 2 ** 32) * n);
      };
      const wait = async () => {
        for (let i = random(12) - 4; i > 0; i--) await turn();
      };
      pause.at = wait;
      let [inside, most, times] = [0, 0, 0];
      const contend = async () => {
        for (let own = 0; own < 3; ) {
          const attempt = await tryLock(file);
          if (!("release" in attempt)) {
            await wait();
            continue;
          }
          most = Math.max(most, ++inside);
          times++;
          own++;
          await wait();
          inside--;
          // Half of them are killed instead of releasing it.
          if (random(2) === 0) leave(file);
          else await attempt.release();
        }
      };
      await Promise.all([contend(), contend(), contend(), contend()]);
      expect(most).toBe(1);
      expect(times).toBe(12);
    }
  });

  it("has one holder among processes that are killed while they hold it", async () => {
    const file = fresh();
    leave(file);
    const script = fileURLToPath(new URL("../support/locker.ts", import.meta.url));
    const ended = await Promise.all(
      Array.from(
        { length: 4 },
        () =>
          new Promise((resolve) => {
            spawn(process.execPath, ["--import", "tsx", script, file, "40"], { stdio: "inherit" }).on("exit", resolve);
          }),
      ),
    );
    expect(ended).toEqual([0, 0, 0, 0]);
    // Each of 4 × 40 holders added a line, and found nobody else inside.
    expect(readFileSync(`${file}-log`, "utf8")).toBe("alone\n".repeat(160));
  });
});

describe("locked", { timeout: 240_000 }, () => {
  it("runs one piece of work after the other, and tells those that wait", async () => {
    const file = fresh();
    const order: string[] = [];
    let waits = 0;
    const work = (name: string) => async () => {
      order.push(`${name} begins`);
      await sleep(20);
      order.push(`${name} ends`);
      return name;
    };
    const onWait = async () => void waits++;
    const names = await Promise.all(["a", "b"].map((name) => locked(file, work(name), undefined, onWait)));
    expect(names).toEqual(["a", "b"]);
    const [first = "", second = ""] = [order[0]?.[0], order[2]?.[0]];
    expect(first).not.toBe(second);
    expect(order).toEqual([`${first} begins`, `${first} ends`, `${second} begins`, `${second} ends`]);
    expect(waits).toBeGreaterThan(0);
  });

  it("is free again after work that fails, and stops waiting when aborted", async () => {
    const file = fresh();
    await expect(locked(file, () => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
    const held = await tryLock(file);
    await expect(locked(file, async () => {}, AbortSignal.abort(new Error("stop")))).rejects.toThrow("stop");
    await release(held);
  });
});
