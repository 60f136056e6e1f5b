import { existsSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { FileError, RequestError } from "../../src/errors.js";
import { HubError, type Wanted } from "../../src/hub/index.js";
import { locate, resolveReference } from "../../src/lookup/index.js";
import { temporaryFolder } from "../support/folder.js";
import { closedAddress, type Mischief, startHub } from "../support/hub.js";

const folder = temporaryFolder();
Object.assign(process.env, { HF_HOME: folder, HF_HUB_OFFLINE: "1" });
afterAll(() => {
  for (const name of ["HF_HOME", "HF_HUB_OFFLINE"]) delete process.env[name];
});

describe("a reference", () => {
  it("is something of the package, a path, or an adapter by a part of its name", async () => {
    expect(await locate("embedded:base", "pipeline")).toBe(resolveReference("embedded:base"));
    expect(await locate(folder, "pipeline")).toBe(folder);
    const smile = await locate("smile.base", "adapter");
    expect(path.basename(smile)).toBe("smile.base.safetensors");
    expect(existsSync(smile)).toBe(true);
  });
  it("that could be several is refused with them", async () => {
    await expect(locate("smile", "adapter")).rejects.toThrow(RequestError);
    await expect(locate("smile", "adapter")).rejects.toThrow(/smile\.base\.safetensors or .*smile\.distilled/);
  });
  it("that is nothing says where it was looked for", async () => {
    await expect(locate("unheard-of", "adapter")).rejects.toThrow(FileError);
    const problem = (ref: string, kind: Wanted) => locate(ref, kind).catch((error: FileError) => error.problem);
    expect(await problem("unheard-of", "adapter")).toMatch(/^there is no such file or folder.*adapter.*Hub/);
    expect(await problem("/no/where", "pipeline")).toMatch(/^there is no such file or folder.*Hub/);
    expect(await problem("owner/name", "pipeline")).toMatch(/^there is no such file or folder.*Hub.*HF_HUB_OFFLINE/);
  });
});

describe("a name on the Hub that is not given out", () => {
  const hub = startHub({ "a/gated": { revisions: { main: {} }, gated: true } });
  beforeEach(async () => {
    Object.assign(process.env, { HF_HUB_OFFLINE: "", HF_ENDPOINT: (await hub).endpoint });
    (await hub).reset();
  });
  afterAll(async () => {
    delete process.env["HF_ENDPOINT"];
    await (await hub).close();
  });
  const failure = async (ref: string, prank?: Mischief): Promise<unknown> => {
    (await hub).mischief = () => prank;
    return locate(ref, "pipeline").catch((error: unknown) => error);
  };

  it("may be a misspelt path where the Hub has no such thing, or cannot be asked", async () => {
    const missing = await failure("models/sdxl");
    expect(missing).toBeInstanceOf(FileError);
    expect(missing).not.toBeInstanceOf(HubError);
    expect(missing).toMatchObject({ file: "models/sdxl", problem: expect.stringMatching(/no such file or folder/) });
    process.env["HF_ENDPOINT"] = await closedAddress();
    const unreachable = await failure("models/sdxl");
    expect(unreachable).not.toBeInstanceOf(HubError);
    expect(unreachable).toMatchObject({ problem: expect.stringMatching(/no such file .*ECONNREFUSED/) });
  });

  it.each([
    ["gated", { status: 401, headers: { "x-error-code": "GatedRepo" } }],
    ["forbidden", { status: 403 }],
    ["refused", { status: 400, headers: { "x-error-message": "the store cannot be reached now" } }],
    ["invalid-answer", { json: "please log in" }],
  ])("is no path when the answer is of the kind %s", async (kind, prank) => {
    const error = await failure("a/gated", prank);
    expect(error).toBeInstanceOf(HubError);
    expect(error).toMatchObject({ kind });
  });
});
