import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PAIRS } from "../../src/catalogue/index.js";
import { hubName, parseHubReference } from "../../src/hub/index.js";

const place = (id: string, revision = "main", path = "") => ({ id, revision, path });

describe("a name on the Hub", () => {
  it.each([
    ["owner/name", place("owner/name")],
    ["stable-diffusion-v1-5/stable-diffusion-v1-5", place("stable-diffusion-v1-5/stable-diffusion-v1-5")],
    ["owner/name:unet", place("owner/name", "main", "unet")],
    ["owner/name@v1.0", place("owner/name", "v1.0")],
    ["owner/name@refs/pr/7:unet", place("owner/name", "refs/pr/7", "unet")],
    ["owner/name@feature%2Fx", place("owner/name", "feature/x")],
    ["owner/name/sub/file.safetensors", place("owner/name", "main", "sub/file.safetensors")],
    ["owner/name@abc1234/sub/file.bin", place("owner/name", "abc1234", "sub/file.bin")],
    ["owner/name/file.bin@v2", place("owner/name", "v2", "file.bin")],
    ["owner/name@refs/pr/7/file.bin", place("owner/name", "refs/pr/7", "file.bin")],
    ["owner/name/sub:unet", place("owner/name", "main", "sub/unet")],
    ["hf://owner/name@v1/unet", place("owner/name", "v1", "unet")],
    ["https://huggingface.co/owner/name", place("owner/name")],
    ["https://huggingface.co/owner/name/tree/v1/unet/", place("owner/name", "v1", "unet")],
    ["https://huggingface.co/owner/name/blob/main/a.safetensors?x=1", place("owner/name", "main", "a.safetensors")],
  ])("%s", (text, expected) => {
    const parsed = parseHubReference(text);
    expect(parsed).toEqual(expected);
    expect(parsed && parseHubReference(hubName(parsed))).toEqual(expected);
  });

  it.each([
    ["name"],
    ["/owner/name"],
    ["./owner/name"],
    ["../owner/name"],
    ["~/models/name"],
    ["C:\\models\\name"],
    ["C:/models/name"],
    ["embedded:base"],
    ["models/sd15.safetensors"],
    ["owner/name/../secret"],
    ["owner/name@../x"],
    ["owner/name:../x"],
    ["owner/name@a/file@b"],
    ["owner/na--me"],
    ["owner/name.git"],
    ["owner/name@%ZZ"],
    ["owner/name:a:b"],
  ])("%s is none", (text) => expect(parseHubReference(text)).toBeNull());

  it("never leads out of its repository, whatever is written", () => {
    const piece = fc.constantFrom("..", ".", "/", ":", "@", "\\", "%2e%2e", "%2F", "a", "tree", "\0");
    const tail = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""));
    const start = fc.constantFrom("owner/name", "hf://owner/name", "https://huggingface.co/owner/name/blob/main/");
    fc.assert(
      fc.property(start, tail, (name, rest) => {
        const { path, revision } = parseHubReference(`${name}${rest}`) ?? place("");
        for (const part of [...path.split("/"), ...revision.split("/")]) expect([".", ".."]).not.toContain(part);
        expect(`${path}${revision}`).not.toMatch(/^[/\\]|[\\:\0]/);
      }),
    );
  });

  it("stands in every named pair", () => {
    const refs = PAIRS.flatMap((row) => [row.base, row.distilled]).filter((ref) => !ref.startsWith("embedded:"));
    expect(refs.length).toBeGreaterThan(40);
    for (const ref of refs)
      expect([ref, parseHubReference(ref)]).toEqual([ref, expect.objectContaining({ revision: "main" })]);
    expect(parseHubReference("tianweiy/DMD2/dmd2_sdxl_4step_unet_fp16.bin")?.path).toBe(
      "dmd2_sdxl_4step_unet_fp16.bin",
    );
  });
});
