import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openUrl, readFloats, readWeights } from "../../src/checkpoint/index.js";
import { openWeights } from "../../src/checkpoint/node/index.js";
import { FileError, RequestError } from "../../src/errors.js";
import type { Weight } from "../../src/tensor/index.js";
import { EMBEDDED, farthest } from "../support/parity.js";
import { type WebAnswer, webServer } from "../support/web.js";

const UNET = `${EMBEDDED}base/unet/diffusion_pytorch_model.safetensors`;
/** Three megabytes: the first is fetched as the file is opened. */
const large = Uint8Array.from({ length: 3e6 }, (_, i) => (i * 31 + (i >> 8)) & 255);
const BEYOND = 2e6;

/** The answer of a server that does not know ranges. */
const whole = (file: Uint8Array): WebAnswer => ({ status: 200, headers: {}, body: file });

const offsetOf = ({ bytes }: Weight): number => (bytes.in === "memory" ? 0 : bytes.offset);

describe("a file at an address", () => {
  it("gives the weights of a checkpoint as the file on this disk does, its header in one request", async () => {
    const server = await webServer({ "unet.safetensors": readFileSync(UNET) });
    const mapped = await openWeights(UNET);
    const fetched = await readWeights(await openUrl(server.url("unet.safetensors")));
    expect(server.asked.length).toBe(1);
    expect(fetched.metadata).toEqual(mapped.metadata);
    expect([...fetched.weights.keys()]).toEqual([...mapped.weights.keys()]);
    for (const [name, weight] of mapped.weights) {
      const other = fetched.weights.get(name);
      if (!other) throw new Error(`${name} is missing`);
      const place = { source: { name: server.url("unet.safetensors") } };
      expect(other).toMatchObject({ ...weight, bytes: { ...weight.bytes, ...place } });
      expect(other.bytes.source.path).toBeUndefined();
    }
    const order = ([, a]: [string, Weight], [, b]: [string, Weight]) => offsetOf(a) - offsetOf(b);
    for (const [name, weight] of [...mapped.weights].sort(order)) {
      const other = fetched.weights.get(name);
      expect(other && farthest(await readFloats(other), await readFloats(weight))).toBe(0);
    }
    // Small tensors that lie together are fetched together.
    expect(server.asked.length).toBeLessThan(mapped.weights.size / 5);
  });

  it("gives any part of it", async () => {
    const server = await webServer({ a: large });
    const source = await openUrl(new URL(`${server.url("a")}?signature=secret`));
    expect(source).toMatchObject({ name: server.url("a"), size: large.length });
    await fc.assert(
      fc.asyncProperty(fc.nat(large.length), fc.nat(5000), async (at, n) => {
        const end = Math.min(at + n, large.length);
        expect(await source.read(at, end - at)).toEqual(large.slice(at, end));
      }),
      { numRuns: 30 },
    );
    await expect(source.read(large.length - 1, 2)).rejects.toThrow(FileError);
  });

  it("gives bytes that are the reader's own", async () => {
    const source = await openUrl((await webServer({ a: large })).url("a"));
    (await source.read(0, 10)).fill(0);
    expect(await source.read(0, 10)).toEqual(large.slice(0, 10));
  });

  it("is asked for with the headers that were given, in the bytes it has", async () => {
    const server = await webServer({ a: large });
    const source = await openUrl(server.url("a"), { headers: { authorization: "Bearer t" } });
    await source.read(BEYOND, 4);
    expect(server.asked.map((h) => [h.authorization, h.range, h["accept-encoding"]])).toEqual([
      ["Bearer t", "bytes=0-1048575", "identity"],
      ["Bearer t", "bytes=2000000-2262143", "identity"],
    ]);
  });

  it("may be empty", async () => {
    const source = await openUrl((await webServer({ a: new Uint8Array() })).url("a"));
    expect(source.size).toBe(0);
    expect(await source.read(0, 0)).toEqual(new Uint8Array());
  });

  it("is fetched whole where a server answers no ranges, up to a size, said or not", async () => {
    const small = large.slice(0, 1000);
    const plain = await webServer({ small, large }, (_, n) => whole(n === 0 ? small : large));
    const source = await openUrl(plain.url("small"), { largestWhole: 1000 });
    expect(await source.read(1, 999)).toEqual(small.slice(1));
    expect(plain.asked.length).toBe(1);
    await expect(openUrl(plain.url("large"), { largestWhole: 1000 })).rejects.toThrow(FileError);
    const silent = await webServer({ large }, () => ({
      ...whole(large),
      headers: { "content-length": "", "transfer-encoding": "chunked" },
    }));
    await expect(openUrl(silent.url("large"), { largestWhole: 1000 })).rejects.toThrow(FileError);
  });

  it.each<[string, (answer: WebAnswer) => WebAnswer]>([
    ["another range", (a) => ({ ...a, headers: { "content-range": "bytes 5-8/3000000" } })],
    ["fewer bytes", (a) => ({ ...a, body: a.body.subarray(0, 100) })],
    ["more bytes", (a) => ({ ...a, body: large.subarray(0, a.body.length + 1) })],
    ["a connection that breaks", (a) => ({ ...a, cutAfter: 2 })],
    ["encoded bytes", (a) => ({ ...a, headers: { ...a.headers, "content-encoding": "br" } })],
    ["no Content-Range", (a) => ({ ...a, headers: {} })],
    ["the whole file", () => whole(large)],
    ["an error", (a) => ({ ...a, status: 503 })],
    ["a file of another size", (a) => ({ ...a, headers: { "content-range": "bytes 2000000-2262143/4000000" } })],
    ["another version", (a) => ({ ...a, headers: { ...a.headers, etag: '"2"' } })],
  ])("is refused where a later answer is %s", async (_, change) => {
    const server = await webServer({ a: large }, (answer, n) => (n === 0 ? answer : change(answer)));
    const source = await openUrl(server.url("a"));
    const failure = await source.read(BEYOND, 4).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(FileError);
    expect(failure).toMatchObject({ file: server.url("a") });
  });

  it("is refused with the status where it is not there, and where there is no server", async () => {
    const server = await webServer({});
    const missing = await openUrl(`${server.url("gone")}?signature=secret`).catch((e: unknown) => e);
    expect(missing).toBeInstanceOf(FileError);
    expect(String(missing)).toContain(`${server.url("gone")}: the server answered 404`);
    expect(String(missing)).not.toContain("secret");
    await expect(openUrl("http://127.0.0.1:1/a")).rejects.toThrow(FileError);
    await expect(openUrl("models/unet.safetensors")).rejects.toThrow(RequestError);
    await expect(openUrl("file:///etc/hostname")).rejects.toThrow(RequestError);
  });

  it("stops with the signal's reason", async () => {
    const stop = new AbortController();
    const server = await webServer({ a: large });
    const source = await openUrl(server.url("a"), { signal: stop.signal });
    const reason = new Error("enough");
    stop.abort(reason);
    await expect(source.read(BEYOND, 4)).rejects.toBe(reason);
  });

  it("may be larger than 2^32 bytes", async () => {
    const size = 2 ** 33 + 10;
    const server = await webServer({ a: large }, (answer, n) => ({
      ...answer,
      headers: { "content-range": n === 0 ? `bytes 0-1048575/${size}` : `bytes ${size - 4}-${size - 1}/${size}` },
      status: 206,
      body: n === 0 ? large.subarray(0, 1048576) : Uint8Array.of(1, 2, 3, 4),
    }));
    const source = await openUrl(server.url("a"));
    expect(await source.read(size - 4, 4)).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect(server.asked.at(-1)?.range).toBe(`bytes=${size - 4}-${size - 1}`);
  });
});
