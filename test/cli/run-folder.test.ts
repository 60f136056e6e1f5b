import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { openResumableFolder, openRunFolder } from "../../src/cli/run-folder.js";
import { RequestError } from "../../src/errors.js";
import { temporaryFolder } from "../support/folder.js";

const IDENTITY = { prompt: "a crown" };
const bytes = (text: string) => Buffer.from(text);
const fresh = () => path.join(temporaryFolder(), "run");
const resume = (out: string, identity: unknown = IDENTITY) =>
  openResumableFolder("generate", identity, { out, resume: true });

/** A folder whose log lists these files. */
async function folderWith(files: Readonly<Record<string, string>>): Promise<string> {
  const out = fresh();
  const folder = await openResumableFolder("generate", IDENTITY, { out });
  for (const [name, text] of Object.entries(files)) {
    folder.log({ type: "image", ...(await folder.write(name, bytes(text))) });
  }
  return out;
}

const lines = (out: string): { type: string; seconds: number }[] =>
  readFileSync(path.join(out, "events.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

describe("openResumableFolder", () => {
  it("keeps logged files that have their size and hash, and none else", async () => {
    const out = await folderWith({ "0.png": "zero", "1.png": "one", "2.png": "two", "sub/3.png": "three" });
    rmSync(path.join(out, "0.png"));
    writeFileSync(path.join(out, "1.png"), "eno");
    writeFileSync(path.join(out, "2.png"), "longer than before");
    writeFileSync(path.join(out, "4.png"), "not in the log");
    const { kept } = await resume(out);
    expect([...kept.keys()]).toEqual(["sub/3.png"]);
    expect(kept.get("sub/3.png")).toMatchObject({ file: "sub/3.png", bytes: 5 });
  });

  it("takes the last of several lines about a file", async () => {
    const out = await folderWith({ "0.png": "first" });
    const folder = await resume(out);
    folder.log({ type: "image", ...(await folder.write("0.png", bytes("second"))) });
    expect((await resume(out)).kept.get("0.png")?.bytes).toBe(6);
  });

  it("adds the seconds of earlier parts", async () => {
    const out = await folderWith({});
    appendFileSync(path.join(out, "events.jsonl"), `${JSON.stringify({ type: "image", seconds: 1000.5 })}\n`);
    const folder = await resume(out);
    folder.log({ type: "image" });
    for (const seconds of [folder.seconds(), lines(out).at(-1)?.seconds]) {
      expect(seconds).toBeGreaterThanOrEqual(1000.5);
      expect(seconds).toBeLessThan(1060);
    }
  });

  it("appends nothing to a line that a kill cut off", async () => {
    const out = await folderWith({});
    appendFileSync(path.join(out, "events.jsonl"), '{"type":"ima');
    const folder = await resume(out);
    folder.log({ type: "image", ...(await folder.write("0.png", bytes("zero"))) });
    expect([...(await resume(out)).kept.keys()]).toEqual(["0.png"]);
  });

  it("begins where the log was cut off before its first line", async () => {
    const out = fresh();
    await openResumableFolder("generate", IDENTITY, { out });
    writeFileSync(path.join(out, "events.jsonl"), '{"type":"ru');
    expect((await resume(out)).kept.size).toBe(0);
    await expect(resume(out, { prompt: "another" })).rejects.toThrow(RequestError);
  });

  it("keeps nothing with force", async () => {
    const out = await folderWith({ "0.png": "zero" });
    const folder = await openResumableFolder("generate", { prompt: "another" }, { out, force: true });
    expect(folder.kept.size).toBe(0);
    expect(lines(out).map((line) => line.type)).toEqual(["run"]);
  });

  it("refuses a run of another request", async () => {
    await expect(resume(await folderWith({}), { prompt: "another" })).rejects.toThrow(RequestError);
  });
});

describe("a folder that holds a run", () => {
  it.each([
    ["names --resume where the command has it", openResumableFolder, true],
    ["does not name --resume elsewhere", openRunFolder, false],
  ])("%s", async (_, open, named) => {
    const refused = await open("compare", IDENTITY, { out: await folderWith({}) }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RequestError);
    expect(String(refused).includes("--resume")).toBe(named);
    expect(String(refused)).toContain("--force");
  });
});
