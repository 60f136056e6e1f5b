import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { overridden, readRecorded, withNamedModels } from "../../src/convert/index.js";
import { encodePng } from "../../src/files/index.js";
import { temporaryFolder } from "../support/folder.js";
import { runProgram } from "../support/program.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const folder = temporaryFolder();
const at = (...names: string[]) => path.join(folder, ...names);
const generate = (...words: string[]) => runProgram(["generate", ...words], {}, folder);
const bytes = (...names: string[]) => readFileSync(at(...names));

describe("generate --from", { timeout: 240_000 }, () => {
  beforeAll(async () => {
    mkdirSync(at("loras"));
    cpSync(path.join(ROOT, "embedded/sliders/smile.base.safetensors"), at("loras/mine.safetensors"));
    const { status, stderr } = await generate(
      ...["a <pip> cartoon character, café", "--negative", "sad", "--guidance", "1.5", "--base-guidance", "2"],
      ...["--seeds", "0-2", "--size", "80x64", "--clip-skip", "1", "--lora", "loras/mine.safetensors:1.5"],
      ...["--embedding", "embedded:adapters/pip.safetensors", "--out", "first"],
    );
    expect([status, stderr]).toEqual([0, expect.any(String)]);
  }, 240_000);

  it("makes the files of a run.json again, byte for byte", async () => {
    const { status, stderr } = await generate("--from", "first/run.json", "--out", "again");
    expect(stderr).toContain("3 of 3 images equal");
    expect(status).toBe(0);
    for (const name of ["0.png", "1.png", "2.png"])
      expect(bytes("again", name).equals(bytes("first", name))).toBe(true);
  });

  it("makes one image again from its PNG, which shared a batch", async () => {
    const { status, stderr } = await generate("--from", "first/1.png", "--out", "one");
    expect(stderr).toContain("1 of 1 image equals the recorded one in every pixel");
    expect(status).toBe(0);
    expect(bytes("one", "1.png").equals(bytes("first", "1.png"))).toBe(true);
  });

  it("records the LoRAs that prompts name with their hashes", async () => {
    mkdirSync(at("programs/models/Lora"), { recursive: true });
    cpSync(path.join(ROOT, "embedded/sliders/smile.base.safetensors"), at("programs/models/Lora/mine.safetensors"));
    const { status } = await generate(
      ...["a cat <lora:mine:0.5>", "--prompt-syntax", "a1111", "--a1111", "programs", "--mode", "distilled"],
      ...["--size", "64x48", "--out", "named"],
    );
    expect(status).toBe(0);
    const { sources } = JSON.parse(bytes("named", "run.json").toString()) as { sources: Record<string, string>[] };
    const adapters = sources.filter(({ role }) => role === "adapter");
    expect(adapters).toEqual([
      {
        role: "adapter",
        ref: "mine",
        file: "mine.safetensors",
        sha256: createHash("sha256")
          .update(bytes("programs", "models", "Lora", "mine.safetensors"))
          .digest("hex"),
        weights: expect.any(String),
      },
    ]);
    expect(bytes("named", "0.png").toString("latin1")).toContain(
      `Lora hashes: "mine: ${adapters[0]?.weights?.slice(0, 12)}"`,
    );
  });

  it("overrides the record with the options beside it, and says so", async () => {
    const { status, stderr } = await generate("--from", "first/1.png", "--seeds", "7", "--out", "other");
    expect(status).toBe(0);
    expect(stderr).toContain("seeds is [7], recorded is [0,1,2]");
    expect(JSON.parse(bytes("other", "run.json").toString()).files.map((f: { file: string }) => f.file)).toEqual([
      "7.png",
    ]);
  });

  it("names a file that changed, and goes on if that is allowed", async () => {
    cpSync(path.join(ROOT, "embedded/sliders/eye-size.base.safetensors"), at("loras/mine.safetensors"));
    const refused = await generate("--from", "first/run.json", "--out", "changed");
    expect(refused.status).toBe(3);
    expect(refused.stderr).toMatch(/adapter loras\/mine\.safetensors: SHA-256 is [0-9a-f]{10}, recorded is 05200e3bbd/);
    const allowed = await generate("--from", "first/run.json", "--out", "changed", "--allow-changed");
    expect(allowed.status).toBe(0);
    expect(allowed.stderr).toContain("0 of 3 images equal");
  });
});

describe("readRecorded", () => {
  const image = { width: 2, height: 1, data: new Uint8Array(6) };

  it("refuses what holds no record", async () => {
    writeFileSync(at("plain.png"), await encodePng(image));
    writeFileSync(at("cut.json"), '{"versions": {');
    writeFileSync(at("old.png"), await encodePng(image, { variegate: '{"prompt":"x","seed":1,"plan":{}}' }));
    writeFileSync(at("modes.json"), '{"requests": []}');
    await expect(readRecorded(at("plain.png"))).rejects.toThrow(/no text chunk variegate or parameters/);
    await expect(readRecorded(at("cut.json"))).rejects.toThrow(/neither a run\.json nor a PNG/);
    await expect(readRecorded(at("old.png"))).rejects.toThrow(/earlier version/);
    await expect(readRecorded(at("modes.json"))).rejects.toThrow(/several modes/);
    await expect(readRecorded(at("none.json"))).rejects.toThrow(/none\.json: there is no such file/);
  });

  it("names the field of a damaged record", async () => {
    const record = {
      versions: { variegate: "1" },
      models: {},
      request: { prompts: ["x"], seeds: [-1] },
      sources: [],
      plan: {},
    };
    writeFileSync(at("damaged.json"), JSON.stringify(record));
    await expect(readRecorded(at("damaged.json"))).rejects.toThrow(/damaged: request\.seeds\.0/);
    const share = { ...record, models: { base: "\\\\host\\share" }, request: { prompts: ["x"] } };
    writeFileSync(at("share.json"), JSON.stringify(share));
    await expect(readRecorded(at("share.json"))).rejects.toThrow(/network share/);
  });

  it("reads what a request has of A1111's parameters, and lists the rest", async () => {
    const text =
      "a (fox:1.2)\nNegative prompt: bad\nSteps: 9, Sampler: DPM++ 2M SDE, Schedule type: Karras, CFG scale: 7, Seed: 5, Size: 64x48, Model hash: 6ce0161689, Clip skip: 2";
    writeFileSync(at("theirs.png"), await encodePng(image, { parameters: text }));
    const recorded = await readRecorded(at("theirs.png"));
    expect(recorded.request).toEqual({
      ...{
        prompts: ["a (fox:1.2)"],
        negative: "bad",
        promptSyntax: "a1111",
        steps: 9,
        scheduler: "DPM++ 2M SDE",
        sigmas: "karras",
        guidance: 7,
      },
      ...{ seeds: [5], clipSkip: 1, size: { width: 64, height: 48 } },
    });
    expect(recorded.named).toEqual([{ field: "base", name: null, hash: "6ce0161689" }]);
    expect(() => overridden(recorded, {}, { prompts: [] })).toThrow(
      /6ce0161689 .*--a1111 or --comfy.*--base or --pair/,
    );
    expect(overridden(recorded, { pair: "embedded" }, { prompts: [] }).request).toEqual(recorded.request);
  });

  it("finds A1111's model and VAE in its folders, by name and by hash", async () => {
    const models = at("webui/models");
    for (const name of ["Stable-diffusion", "VAE"]) mkdirSync(path.join(models, name), { recursive: true });
    const file = (name: string, content: string) => {
      writeFileSync(path.join(models, name), content);
      return createHash("sha256").update(content).digest("hex").slice(0, 10);
    };
    const [first, other] = [file("Stable-diffusion/a.safetensors", "1"), file("Stable-diffusion/b.ckpt", "2")];
    file("VAE/soft.safetensors", "3");
    const signal = new AbortController().signal;
    const found = async (settings: string, given: object = {}) => {
      const text = `x\nSteps: 9, Sampler: Euler, Seed: 5, ${settings}`;
      writeFileSync(at("named.png"), await encodePng(image, { parameters: text }));
      const folders = { modelFolders: [{ kind: "a1111", path: at("webui") }] as const, ...given };
      const { models: own, unread } = await withNamedModels(await readRecorded(at("named.png")), folders, signal);
      return { ...own, said: unread.join("\n") };
    };
    const place = (name: string) => path.join(models, name);
    expect(await found(`Model: A, Model hash: ${first}, VAE: soft.safetensors`)).toEqual({
      base: place("Stable-diffusion/a.safetensors"),
      decoder: place("VAE/soft.safetensors"),
      said: expect.stringMatching(/a\.safetensors, with that hash\n.*soft\.safetensors; no hash is recorded/),
    });
    // Renamed, and changed.
    expect(await found(`Model: old, Model hash: ${other}`)).toMatchObject({ base: place("Stable-diffusion/b.ckpt") });
    expect(await found(`Model: b, Model hash: ${first}, VAE: Automatic`)).toEqual({
      base: place("Stable-diffusion/b.ckpt"),
      said: expect.stringContaining(
        `model b (${first}) is ${place("Stable-diffusion/b.ckpt")}, whose hash is ${other}`,
      ),
    });
    await expect(found("Model: lost, Model hash: 0123456789")).rejects.toThrow(
      /model lost \(0123456789\) is not in .*webui; name one with --base or --pair/,
    );
    expect((await found("Model: a, VAE: none.pt")).said).toContain("VAE none.pt is not in");
    expect(await found("Model: lost", { pair: "embedded" })).toEqual({
      said: expect.stringContaining("the given models replace its model lost"),
    });
  });

  it("compares the LoRAs and textual inversions that A1111 lists with hashes", async () => {
    mkdirSync(at("webui2/models/Lora"), { recursive: true });
    mkdirSync(at("webui2/embeddings"), { recursive: true });
    cpSync(path.join(ROOT, "embedded/sliders/smile.base.safetensors"), at("webui2/models/Lora/mine.safetensors"));
    cpSync(path.join(ROOT, "embedded/adapters/pip.safetensors"), at("webui2/embeddings/pip.safetensors"));
    const lora = bytes("webui2", "models", "Lora", "mine.safetensors");
    const tensors = lora.subarray(8 + Number(lora.readBigUInt64LE()));
    const hashes = [tensors, bytes("webui2", "embeddings", "pip.safetensors")].map((content) =>
      createHash("sha256").update(content).digest("hex").slice(0, 12),
    );
    const saying = async (settings: string) => {
      const text = `a pip <lora:mine:0.5>\nSteps: 1, Sampler: LCM, Seed: 5, Size: 64x48, ${settings}`;
      writeFileSync(at("listed.png"), await encodePng(image, { parameters: text }));
      const words = ["--pair", "embedded", "--a1111", "webui2", "--mode", "distilled", "--out", "listed", "--force"];
      const { status, stderr } = await generate("--from", "listed.png", ...words);
      expect([status, stderr]).toEqual([0, expect.any(String)]);
      return stderr;
    };
    const right = await saying(`Lora hashes: "mine: ${hashes[0]}", TI hashes: "pip: ${hashes[1]}"`);
    expect(right).not.toMatch(/LoRA|textual inversion|hashes/);
    const wrong = await saying(`Lora hashes: "mine: 0123456789ab, gone: ab0123456789", TI hashes: "pip: 012345678901"`);
    expect(wrong).toContain(`its LoRA mine (0123456789ab) is mine, whose hash is ${hashes[0]}`);
    expect(wrong).toContain("its LoRA gone (ab0123456789) is not used; name it with --lora");
    expect(wrong).toContain(
      `its textual inversion pip (012345678901) is ${at("webui2/embeddings/pip.safetensors")}, whose hash is ${hashes[1]}`,
    );
    expect(await saying("Lora hashes: mine")).toContain("not read from its A1111 parameters: Lora hashes: mine");
  }, 240_000);

  it("has an image beside it that other programs read", async () => {
    const { comments = [] } = await sharp(at("first/0.png")).metadata();
    expect(comments.map((c) => c.keyword)).toEqual(["variegate", "parameters"]);
    expect(comments[1]?.text).toMatch(
      /\nNegative prompt: sad\nSteps: 4, Sampler: LCM, CFG scale: 1.5, Seed: 0, Size: 80x64/,
    );
  });
});
