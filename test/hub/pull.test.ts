import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { FileError, MachineError } from "../../src/errors.js";
import {
  type DownloadEvent,
  fetchReference,
  HubError,
  type HubOptions,
  hubSettings,
  type ModelKind,
  parseHubReference,
  planFetch,
} from "../../src/hub/index.js";
import { temporaryFolder } from "../support/folder.js";
import { blobName, closedAddress, gitHash, sha256, startHub, TOKEN } from "../support/hub.js";

/** Bytes that are nowhere the same, so that a part in the wrong place shows. */
const bytes = (n: number, seed = 1): Buffer =>
  Buffer.from(Array.from({ length: n }, (_, i) => (Math.imul(i + 1, 2654435761 + 2 * seed) >>> 13) & 255));
const text = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

const WEIGHTS = bytes(300_000);
const UNET = {
  "config.json": text({ _class_name: "UNet2DConditionModel" }),
  "README.md": Buffer.from("# hello"),
  "diffusion_pytorch_model.fp16.safetensors": WEIGHTS,
  "diffusion_pytorch_model.safetensors": bytes(500_000, 2),
};
const many = Object.fromEntries(
  Array.from({ length: 20 }, (_, i) => [`pictures/${i}.txt`, Buffer.from(`picture ${i}`)]),
);

const hub = await startHub({
  "a/unet": {
    revisions: {
      main: UNET,
      v1: { ...UNET, "config.json": text({ old: true }) },
      "refs/pr/3": { ...UNET, "x.txt": Buffer.from("x") },
    },
  },
  "a/many": { revisions: { main: many } },
  "a/pipeline": {
    revisions: {
      main: {
        "model_index.json": text({ _class_name: "FluxPipeline" }),
        "unet/config.json": text({}),
        "unet/diffusion_pytorch_model.safetensors": bytes(1000),
      },
    },
  },
  "a/gated": { revisions: { main: UNET }, gated: true },
  "a/private": { revisions: { main: UNET }, private: true },
  "a/escape": { revisions: { main: { "config.json": text({}), "../../evil.safetensors": bytes(10) } } },
});
afterAll(() => hub.close());
beforeEach(() => hub.reset());

interface Scene {
  readonly cache: string;
  readonly events: DownloadEvent[];
  readonly waits: number[];
  get(ref: string, kind?: ModelKind, more?: Partial<HubOptions> & { env?: Record<string, string> }): Promise<string>;
}

/** A fresh cache, and clocks that do not wait. */
function scene(): Scene {
  const cache = path.join(temporaryFolder(), "hub");
  const events: DownloadEvent[] = [];
  const waits: number[] = [];
  return {
    cache,
    events,
    waits,
    get: (ref, kind = "unet", { env = {}, ...more } = {}) => {
      const reference = parseHubReference(ref);
      if (!reference) throw new Error(`${ref} is no reference`);
      return fetchReference(reference, kind, {
        settings: hubSettings({ HF_HOME: "/nowhere", HF_HUB_CACHE: cache, HF_ENDPOINT: hub.endpoint, ...env }),
        wait: async (milliseconds) => void waits.push(milliseconds),
        onDownload: (event) => events.push(event),
        ...more,
      });
    },
  };
}
const FILE = "diffusion_pytorch_model.fp16.safetensors";
const partialOf = (cache: string) => path.join(cache, "models--a--unet", "blobs", `${sha256(WEIGHTS)}.incomplete`);
const leavePartial = (cache: string, content: Buffer) => {
  mkdirSync(path.dirname(partialOf(cache)), { recursive: true });
  writeFileSync(partialOf(cache), content);
};
const inStore = () => hub.asked.filter((a) => a.at === "store");

describe("fetching", () => {
  it("fills the cache as Python's library does", async () => {
    const { cache, get } = scene();
    const place = await get("a/unet");
    const commit = hub.commit("a/unet");
    expect(place).toBe(path.join(cache, "models--a--unet", "snapshots", commit));
    expect(readFileSync(path.join(cache, "models--a--unet", "refs", "main"), "utf8")).toBe(commit);
    for (const name of ["config.json", FILE] as const) {
      const blob = blobName(name, UNET[name]);
      expect(readlinkSync(path.join(place, name))).toBe(path.join("..", "..", "blobs", blob));
      expect(readFileSync(path.join(place, name)).equals(UNET[name])).toBe(true);
    }
    expect(blobName("config.json", UNET["config.json"])).toBe(gitHash(UNET["config.json"]));
    expect(existsSync(path.join(place, "README.md"))).toBe(false);
    expect(existsSync(path.join(place, "diffusion_pytorch_model.safetensors"))).toBe(false);
  });

  it("says what it will do, how far it is, and what is done", async () => {
    const { events, get } = scene();
    await get("a/unet");
    const total = WEIGHTS.length + UNET["config.json"].length;
    expect(events[0]).toMatchObject({
      type: "fetch-plan",
      repository: "a/unet",
      commit: hub.commit("a/unet"),
      bytes: total,
      missing: total,
    });
    expect(events.filter((e) => e.type === "fetch-progress").at(-1)).toMatchObject({ done: total, bytes: total });
    expect(events.flatMap((e) => (e.type === "fetched" ? [e.path] : [])).sort()).toEqual(["config.json", FILE]);
  });

  it("asks for no file twice, and for nothing at all when a commit is named", async () => {
    const { get, events } = scene();
    const first = await get("a/unet");
    hub.asked.length = 0;
    events.length = 0;
    expect(await get("a/unet")).toBe(first);
    expect(hub.asked.every((a) => a.url.startsWith("/api/"))).toBe(true);
    expect(events).toEqual([]);
    hub.asked.length = 0;
    expect(await get(`a/unet@${hub.commit("a/unet")}`)).toBe(first);
    expect(hub.asked).toEqual([]);
  });

  it("reads a listing page by page", async () => {
    const { get } = scene();
    const place = await get("a/many", "file");
    for (const [name, content] of Object.entries(many))
      expect(readFileSync(path.join(place, name)).equals(content)).toBe(true);
    expect(hub.asked.filter((a) => a.url.includes("/tree/"))).toHaveLength(3);
  });

  it("takes branches, tags, pull requests and commits, and shares what is the same", async () => {
    const { cache, get } = scene();
    const main = await get("a/unet");
    const stored = inStore().length;
    const v1 = await get("a/unet@v1");
    expect(JSON.parse(readFileSync(path.join(v1, "config.json"), "utf8"))).toEqual({ old: true });
    expect(realpathSync(path.join(v1, FILE))).toBe(realpathSync(path.join(main, FILE)));
    expect(inStore().length).toBe(stored);
    const pull = await get("a/unet@refs/pr/3/x.txt", "file");
    expect(readFileSync(pull, "utf8")).toBe("x");
    expect(readFileSync(path.join(cache, "models--a--unet", "refs", "refs", "pr", "3"), "utf8")).toBe(
      hub.commit("a/unet", "refs/pr/3"),
    );
    expect(await get(`a/unet@${hub.commit("a/unet", "v1")}`)).toBe(v1);
  });

  it("uses full precision that is there instead of fetching half", async () => {
    const { get } = scene();
    await get("a/unet", "unet", { variant: "fp32" });
    hub.asked.length = 0;
    const place = await get("a/unet");
    expect(inStore()).toEqual([]);
    expect(existsSync(path.join(place, FILE))).toBe(false);
  });

  it("plans without fetching", async () => {
    const { cache } = scene();
    const settings = hubSettings({ HF_HOME: "/nowhere", HF_HUB_CACHE: cache, HF_ENDPOINT: hub.endpoint });
    leavePartial(cache, WEIGHTS.subarray(0, 1000));
    const plan = await planFetch({ id: "a/unet", revision: "main", path: "" }, "unet", { settings });
    expect(plan.files.map((f) => [f.path, f.bytes, f.there])).toEqual([
      ["config.json", UNET["config.json"].length, 0],
      [FILE, 300_000, 1000],
    ]);
    expect(plan.missing).toBe(plan.bytes - 1000);
    expect(inStore()).toEqual([]);
    expect(existsSync(path.join(cache, "models--a--unet", "snapshots"))).toBe(false);
  });
});

describe("the token", () => {
  const env = { HF_TOKEN: TOKEN };
  it("goes to the Hub and to nobody else", async () => {
    const { get } = scene();
    await get("a/private", "unet", { env });
    const [own, others] = [hub.asked.filter((a) => a.at === "hub"), inStore()];
    expect(own.length).toBeGreaterThan(3);
    expect(own.every((a) => a.authorization === `Bearer ${TOKEN}`)).toBe(true);
    expect(others).toHaveLength(1);
    expect(others[0]?.authorization).toBeUndefined();
  });
  it.each([
    ["a/gated", {}, 401, "gated", /accept its licen[cs]e at http\S+\/a\/gated and set HF_TOKEN/],
    ["a/private", {}, 401, "not-found", /private.*set HF_TOKEN/],
    ["a/nothing", {}, 401, "not-found", /misspelt/],
    ["a/nothing", env, 404, "not-found", /your token/],
    ["a/unet", { HF_TOKEN: "hf_other" }, 401, "unauthorized", /token/],
    ["a/unet@nothing", {}, 404, "not-found", /"nothing"/],
  ])("%s with %j", async (ref, environment, status, kind, message) => {
    const { get } = scene();
    const failure = await get(ref, "unet", { env: environment }).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(HubError);
    expect(failure).toMatchObject({ status, kind, problem: expect.stringMatching(message) });
    expect(String(failure)).not.toContain("hf_other");
  });
  it("403 says where to look", async () => {
    const { get } = scene();
    hub.mischief = (a) =>
      a.url.includes("/resolve/") ? { status: 403, headers: { "x-error-code": "GatedRepo" } } : undefined;
    await expect(get("a/unet", "unet", { env })).rejects.toMatchObject({
      kind: "gated",
      status: 403,
      problem: expect.stringMatching(/with the account of your token/),
    });
    hub.mischief = () => ({ status: 403, headers: { "x-error-message": "Not in your country" } });
    await expect(get("a/unet")).rejects.toMatchObject({
      kind: "forbidden",
      problem: expect.stringMatching(/403: Not in your country/),
    });
  });
});

describe("a connection that is cut", () => {
  it("goes on where it stopped, if the file is still the same", async () => {
    const { get, waits } = scene();
    hub.mischief = (a, time) => (a.at === "store" && time < 3 ? { cutAfter: 70_000 } : undefined);
    const place = await get("a/unet");
    expect(readFileSync(path.join(place, FILE)).equals(WEIGHTS)).toBe(true);
    const [first, second, ...more] = inStore();
    expect(first?.range).toBeUndefined();
    expect(second?.range).toMatch(/^bytes=[1-9]\d*-$/);
    expect(second?.ifRange).toBe(`"store-${sha256(WEIGHTS).slice(0, 12)}"`);
    expect(more).toHaveLength(2);
    // It came further each time, so that no wait grows.
    expect(waits).toEqual([1000, 1000, 1000]);
  });
  it("is given up after some tries that bring nothing, and the next run goes on", async () => {
    const { cache, get, waits } = scene();
    hub.mischief = (a) => (a.at === "store" ? (a.range ? { status: 503 } : { cutAfter: 90_000 }) : undefined);
    await expect(get("a/unet")).rejects.toMatchObject({ kind: "interrupted", status: null });
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16000]);
    const kept = lstatSync(partialOf(cache)).size;
    expect(kept).toBeGreaterThan(0);
    hub.asked.length = 0;
    hub.mischief = () => undefined;
    const place = await get("a/unet");
    expect(inStore().map((a) => a.range)).toEqual([`bytes=${kept}-`]);
    expect(readFileSync(path.join(place, FILE)).equals(WEIGHTS)).toBe(true);
    expect(existsSync(partialOf(cache))).toBe(false);
  });
  it("starts again where the store gives no parts", async () => {
    const { cache, get } = scene();
    leavePartial(cache, WEIGHTS.subarray(0, 100_000));
    hub.mischief = (a) => (a.at === "store" ? { ignoresRange: true } : undefined);
    const place = await get("a/unet");
    expect(readFileSync(path.join(place, FILE)).equals(WEIGHTS)).toBe(true);
  });
  it("takes a part that is whole already without asking", async () => {
    const { cache, get } = scene();
    leavePartial(cache, WEIGHTS);
    await get("a/unet");
    expect(inStore()).toEqual([]);
  });
});

describe("a busy server", () => {
  it.each([
    ["429 with seconds", { status: 429, headers: { "retry-after": "7" } }, [7000]],
    ["429", { status: 429 }, [1000]],
    ["502", { status: 502 }, [1000]],
  ])("%s is waited for", async (_, prank, expected) => {
    const { get, waits, events } = scene();
    hub.mischief = (a, time) => (a.at === "store" && time === 0 ? prank : undefined);
    await get("a/unet");
    expect(waits).toEqual(expected);
    expect(events.find((e) => e.type === "fetch-note")).toMatchObject({
      text: expect.stringMatching(/answered .* trying again in \d s/),
    });
  });
  it("is waited for longer each time, then given up", async () => {
    const { get, waits } = scene();
    hub.mischief = () => ({ status: 503 });
    await expect(get("a/unet")).rejects.toMatchObject({ kind: "interrupted", file: "a/unet" });
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16000]);
  });
  it("that asks for an hour is not waited for", async () => {
    const { get, waits } = scene();
    hub.mischief = () => ({ status: 429, headers: { "retry-after": "3600" } });
    await expect(get("a/unet")).rejects.toMatchObject({
      kind: "interrupted",
      problem: expect.stringMatching(/3600 s/),
    });
    expect(waits).toEqual([]);
  });
});

describe("what is not what was listed", () => {
  it("by its hash is deleted", async () => {
    const { cache, get } = scene();
    hub.mischief = (a) => (a.at === "store" ? { spoilt: true } : undefined);
    const failure = await get("a/unet").catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(FileError);
    expect(failure).toMatchObject({ file: `a/unet/${FILE}`, problem: expect.stringMatching(/hash/) });
    expect(existsSync(partialOf(cache))).toBe(false);
    expect(existsSync(path.join(path.dirname(partialOf(cache)), sha256(WEIGHTS)))).toBe(false);
  });
  it("because an earlier part is spoilt is fetched again", async () => {
    const { cache, get, events } = scene();
    leavePartial(cache, bytes(100_000, 9));
    const place = await get("a/unet");
    expect(readFileSync(path.join(place, FILE)).equals(WEIGHTS)).toBe(true);
    expect(events.some((e) => e.type === "fetch-note" && /corrupt/.test(e.text))).toBe(true);
  });
  it.each([1000, 400_000])("by its size (%i) is refused", async (length) => {
    const { get } = scene();
    hub.mischief = (a) => (a.at === "store" ? { length } : undefined);
    await expect(get("a/unet")).rejects.toMatchObject({
      file: `a/unet/${FILE}`,
      problem: expect.stringMatching(new RegExp(`300000.*${length}`)),
    });
  });
  it("by its name would leave the folder", async () => {
    const { cache, get } = scene();
    await expect(get("a/escape")).rejects.toMatchObject({
      file: "a/escape",
      problem: expect.stringMatching(/"\.\.\/\.\.\/evil\.safetensors"/),
    });
    expect(existsSync(cache)).toBe(false);
  });
  it("is a page of somebody in between", async () => {
    const { get } = scene();
    hub.mischief = (a) => (a.url.includes("/revision/") ? { json: "please log in" } : undefined);
    await expect(get("a/unet")).rejects.toMatchObject({ kind: "invalid-answer" });
  });
});

describe("the disk", () => {
  it("without room is said before anything is fetched", async () => {
    const { cache, get } = scene();
    leavePartial(cache, WEIGHTS.subarray(0, 100_000));
    const failure = await get("a/unet", "unet", { freeBytes: async () => 64e6 }).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(MachineError);
    expect(String(failure)).toMatch(/a\/unet needs 201 kB \(100 kB of 301 kB \w+ cached\), .* 64\.0 MB free/);
    expect(inStore()).toEqual([]);
    await get("a/unet", "unet", { freeBytes: async () => 65e6 });
  });
  it("that may not be written is read all the same", async () => {
    const { cache, get } = scene();
    const place = await get("a/unet");
    const refs = path.join(cache, "models--a--unet", "refs");
    rmSync(refs, { recursive: true });
    writeFileSync(refs, "a file where the folder should be");
    expect(await get("a/unet")).toBe(place);
  });
  it.skipIf(process.platform !== "linux")("where no folder can be made is said too", async () => {
    const { get } = scene();
    const nowhere = { env: { HF_HUB_CACHE: "/proc/nowhere/hub" }, freeBytes: async () => 1e12 };
    await expect(get("a/unet", "unet", nowhere)).rejects.toMatchObject({
      file: "/proc/nowhere/hub",
      problem: expect.stringMatching(/ENOENT/),
    });
  });
  it("that may not be written is said with what to do", async () => {
    const { cache, get } = scene();
    mkdirSync(path.dirname(cache), { recursive: true });
    writeFileSync(cache, "a file where the folder should be");
    const failure = await get("a/unet").catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(FileError);
    expect(failure).toMatchObject({
      file: cache,
      problem: expect.stringMatching(/(ENOTDIR|EEXIST).*HF_HOME or HF_HUB_CACHE/),
    });
  });
});

describe("without a network", () => {
  const offline = { env: { HF_HUB_OFFLINE: "1" } };
  it("what is in the cache is used and nothing asked", async () => {
    const { get } = scene();
    const place = await get("a/unet");
    hub.asked.length = 0;
    expect(await get("a/unet", "unet", offline)).toBe(place);
    expect(await get(`a/unet/${FILE}`, "file", offline)).toBe(path.join(place, FILE));
    expect(await get(`a/unet@${hub.commit("a/unet").slice(0, 8)}`, "unet", offline)).toBe(place);
    expect(hub.asked).toEqual([]);
  });
  it("a revision that is not cached is refused, naming those that are", async () => {
    const { cache, get } = scene();
    await expect(get("a/unet", "unet", offline)).rejects.toMatchObject({ kind: "not-cached", file: "a/unet" });
    await get("a/unet/config.json", "file");
    await expect(get("a/unet", "unet", offline)).rejects.toMatchObject({
      kind: "incomplete-cache",
      problem: expect.stringMatching(/no weights/),
    });
    await expect(get("a/unet@v1", "unet", offline)).rejects.toMatchObject({
      kind: "not-cached",
      problem: expect.stringMatching(new RegExp(`at v1, .*${hub.commit("a/unet").slice(0, 7)} \\(${cache}`)),
    });
  });
  it("a part that was fetched by itself is not taken for the whole", async () => {
    const { get } = scene();
    const commit = hub.commit("a/pipeline");
    await get(`a/pipeline@${commit}:unet`);
    await expect(get(`a/pipeline@${commit}`, "pipeline", offline)).rejects.toMatchObject({
      kind: "incomplete-cache",
    });
    // With a network the Hub is asked, which has an index without a UNet.
    await expect(get(`a/pipeline@${commit}`, "pipeline")).rejects.toThrow(/FluxPipeline/);
  });
  it("a Hub that cannot be reached is told, and the cache does", async () => {
    const { events, get } = scene();
    const place = await get("a/unet");
    events.length = 0;
    const nowhere = { env: { HF_ENDPOINT: await closedAddress() } };
    expect(await get("a/unet", "unet", nowhere)).toBe(place);
    expect(events).toMatchObject([{ type: "fetch-note", text: expect.stringMatching(/ECONNREFUSED.*cache/) }]);
    await expect(get("a/many", "file", nowhere)).rejects.toMatchObject({
      kind: "unreachable",
      problem: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+ .*ECONNREFUSED.*HF_HUB_OFFLINE=1/),
    });
  });
  it("a repository that was taken away is still had from the cache", async () => {
    const { get } = scene();
    const place = await get("a/unet");
    const all = hub.repositories;
    hub.repositories = {};
    try {
      expect(await get("a/unet")).toBe(place);
    } finally {
      hub.repositories = all;
    }
  });
});

describe("stopping", () => {
  it("is at once, and keeps what has come", async () => {
    const { cache, get, events } = scene();
    hub.mischief = (a) => (a.at === "store" ? { slow: 40 } : undefined);
    const stop = new AbortController();
    const asked = get("a/unet", "unet", {
      signal: stop.signal,
      onDownload: (event) => {
        events.push(event);
        if (event.type === "fetch-progress" && event.done > 50_000) stop.abort(new Error("enough"));
      },
    });
    await expect(asked).rejects.toThrow("enough");
    const kept = lstatSync(partialOf(cache)).size;
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(WEIGHTS.length);
    hub.mischief = () => undefined;
    hub.asked.length = 0;
    await get("a/unet");
    expect(inStore().map((a) => a.range)).toEqual([`bytes=${kept}-`]);
  });
});

describe("links and locks", () => {
  it("that dangle are put right", async () => {
    const { get } = scene();
    const place = await get("a/unet");
    rmSync(realpathSync(path.join(place, FILE)));
    await get("a/unet");
    expect(readFileSync(path.join(place, FILE)).equals(WEIGHTS)).toBe(true);
    rmSync(path.join(place, "config.json"));
    symlinkSync("../../blobs/nothing", path.join(place, "config.json"));
    await get("a/unet");
    expect(readFileSync(path.join(place, "config.json")).equals(UNET["config.json"])).toBe(true);
  });
  it("of a process that is no more are taken away", async () => {
    const { cache, get } = scene();
    const lock = path.join(cache, ".locks", "models--a--unet", `${sha256(WEIGHTS)}.variegate.lock`);
    mkdirSync(path.dirname(lock), { recursive: true });
    writeFileSync(
      lock,
      JSON.stringify({ token: "x", host: (await import("node:os")).hostname(), process: 2 ** 22 + 1 }),
    );
    const old = new Date(Date.now() - 61_000);
    utimesSync(lock, old, old);
    await get("a/unet");
    expect(existsSync(lock)).toBe(false);
  });
  it("make the second wait and use what the first fetched", async () => {
    const { cache, get } = scene();
    hub.mischief = (a) => (a.at === "store" ? { slow: 20 } : undefined);
    const [one, two] = await Promise.all([get("a/unet"), get("a/unet")]);
    expect(one).toBe(two);
    expect(inStore()).toHaveLength(1);
    expect(existsSync(path.join(cache, ".locks", "models--a--unet", `${sha256(WEIGHTS)}.variegate.lock`))).toBe(false);
  });
});
