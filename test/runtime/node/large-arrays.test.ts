import { closeSync, fstatSync, openSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { openInMemory, openOutbox, take } from "../../../src/runtime/node/large-arrays.js";

const LARGE = 2 ** 20;
const files: number[] = [];
const opened = (): number => {
  const file = openInMemory();
  if (file === null) throw new Error("no file in memory");
  files.push(file);
  return file;
};
afterEach(() => {
  for (const file of files.splice(0)) closeSync(file);
});

/** What a pipe makes of a message. */
const sent = (message: unknown) => structuredClone(message);
const large = (from: number) => Float32Array.from({ length: LARGE / 4 }, (_, i) => from + i);

describe.runIf(process.platform === "linux")("large arrays of messages", () => {
  it("arrive as they were, and small ones stay in their message", () => {
    const file = opened();
    // Part of a larger buffer.
    const view = new Float64Array(new ArrayBuffer(LARGE + 64), 32, LARGE / 8).fill(Math.PI);
    const message = {
      ...{ id: 1, kind: "run", held: null, shape: [1, 2], small: Float32Array.of(1, 2) },
      feeds: { a: { data: large(3) }, b: { data: view }, c: { data: new BigInt64Array(LARGE / 8).fill(-5n) } },
      bytes: Buffer.alloc(LARGE, 7),
    };
    const packed = openOutbox(file).put(1, message);
    expect(JSON.stringify(packed, (_, v) => (typeof v === "bigint" ? String(v) : v)).length).toBeLessThan(500);
    expect(take(file, sent(packed))).toEqual({ ...message, bytes: new Uint8Array(LARGE).fill(7) });
  });

  it("of several messages under way do not meet, and the file begins again when all were read", () => {
    const file = opened();
    const outbox = openOutbox(file);
    const [one, two] = [outbox.put(1, { data: large(1) }), outbox.put(2, { data: large(2) })];
    outbox.read([1]);
    const three = outbox.put(3, { data: large(3) });
    expect([one, two, three].map((packed) => take(file, packed))).toEqual([1, 2, 3].map((n) => ({ data: large(n) })));
    outbox.read([2, 3]);
    expect(outbox.put(4, { data: large(4) })).toMatchObject({ data: { at: 0 } });
  });

  it("give their memory back", () => {
    const file = opened();
    const outbox = openOutbox(file);
    outbox.put(1, { data: new Uint8Array(100 * LARGE) });
    outbox.read([1]);
    expect(fstatSync(file).size).toBe(64 * LARGE);
  });

  it("stay in the message where there is no file, and where nothing can be written", () => {
    const message = { data: large(1) };
    expect(openOutbox(null).put(1, message)).toBe(message);
    expect(take(null, message)).toBe(message);
    const closed = openSync("/dev/null", "r");
    files.push(closed);
    expect(openOutbox(closed).put(1, message)).toEqual(message);
  });
});
