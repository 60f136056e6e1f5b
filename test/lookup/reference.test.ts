import { existsSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { FileError, RequestError } from "../../src/errors.js";
import { HubError, type ModelKind } from "../../src/hub/index.js";
import { locate, resolveReference } from "../../src/lookup/index.js";
import { locatePair } from "../../src/open/locate.js";
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
  it("is an adapter that ships with the pair, by a part of its name", async () => {
    const { lookup } = await locatePair({ pair: "emoji" }, {});
    expect(await locate("skin-tone.base", "adapter", lookup)).toMatch(
      /pair-emoji.sliders.skin-tone\.base\.safetensors$/,
    );
    await expect(locate("skin-tone", "adapter", lookup)).rejects.toThrow(
      /tone\.base\.safetensors or .*tone\.distilled/,
    );
    await expect(locate("skin-tone.base", "adapter")).rejects.toThrow(/not an adapter of the pair or the package/);
  });
  it("that could be several is refused with them", async () => {
    await expect(locate("smile", "adapter")).rejects.toThrow(RequestError);
    await expect(locate("smile", "adapter")).rejects.toThrow(/smile\.base\.safetensors or .*smile\.distilled/);
  });
  it("that is nothing says where it was looked for", async () => {
    await expect(locate("unheard-of", "adapter")).rejects.toThrow(FileError);
    const problem = (ref: string, kind: ModelKind) => locate(ref, kind).catch((error: FileError) => error.problem);
    expect(await problem("unheard-of", "adapter")).toMatch(/^there is no such file or folder.*adapter.*Hub/);
    expect(await problem("/no/where", "pipeline")).toMatch(/^there is no such file or folder.*Hub/);
    expect(await problem("owner/name", "pipeline")).toMatch(/^there is no such file or folder.*Hub.*HF_HUB_OFFLINE/);
  });
});

describe("a reference into the package", () => {
  const root = resolveReference("embedded:");

  it("is the path below the embedded folder", () => {
    expect(path.relative(root, resolveReference("embedded:world/real.safetensors"))).toBe(
      path.join("world", "real.safetensors"),
    );
    expect(resolveReference("embedded:base/")).toBe(resolveReference("embedded:base"));
    expect(path.basename(resolveReference("embedded:100%.png"))).toBe("100%.png");
  });

  it.each([
    "..",
    "../..",
    "base/../../package.json",
    "/etc/passwd",
    "//host/share",
    "file:///etc/passwd",
    "https://example.org",
    "..\\..",
    "C:\\Windows",
    "base/\0",
  ])("%j is refused", async (place) => {
    expect(() => resolveReference(`embedded:${place}`)).toThrow(FileError);
    await expect(locate(`embedded:${place}`, "pipeline")).rejects.toMatchObject({ file: `embedded:${place}` });
  });

  it("never leads out of it", () => {
    const part = fc.oneof(fc.constantFrom("..", ".", "", "%2e%2e", "/", "\\", "a", "C:", "?", "#"), fc.string());
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const relative = path.relative(root, resolvedOr(root, `embedded:${parts.join("/")}`));
        expect(relative.split(path.sep)).not.toContain("..");
        expect(path.isAbsolute(relative)).toBe(false);
      }),
    );
  });
});

/** The path, or `refused` for a reference that is refused as it should be. */
function resolvedOr(refused: string, ref: string): string {
  try {
    return resolveReference(ref);
  } catch (error) {
    if (error instanceof FileError) return refused;
    throw error;
  }
}

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
