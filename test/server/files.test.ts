import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { safetensors } from "../../src/checkpoint/index.js";
import { readPngText } from "../../src/files/index.js";
import { safeName } from "../../src/server/adapter-files.js";
import { float } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";
import { runProgram } from "../support/program.js";
import { studioForTests } from "../support/studio.js";

const workspace = temporaryFolder();
const { send, upload, events, errors } = studioForTests({ workspace });
const elsewhere = studioForTests();

const SMILE = readFileSync(fileURLToPath(new URL("../../embedded/sliders/smile.base.safetensors", import.meta.url)));
const loras = path.join(workspace, "models", "loras");
const message = (body: unknown) => z.object({ error: z.object({ message: z.string() }) }).parse(body).error.message;
const add = (name: string, bytes: Uint8Array) => upload(`api/adapters?name=${encodeURIComponent(name)}`, bytes);
const added = z.object({ ref: z.string(), from: z.string(), layers: z.number() });
const refs = async () =>
  z.object({ adapters: z.array(added.partial({ layers: true })) }).parse((await send("GET", "api/adapters")).body)
    .adapters;

/** A LoRA with NaN, and one for another family, by the features that its layers read. */
const kohya = (layer: string, features: number, value: number) =>
  safetensors({
    [`${layer}.lora_down.weight`]: float([2, features], new Float32Array(2 * features).fill(value)),
    [`${layer}.lora_up.weight`]: float([320, 2], new Float32Array(640).fill(value)),
  });
const SD15 = kohya("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k", 768, 0.1);

/** A safetensors file whose header says this. */
function withHeader(header: string): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, Buffer.from(header)]);
}

describe("adapters of a studio", { timeout: 240_000 }, () => {
  it("are checked, kept under a name of their own, used by runs, and removed", async () => {
    const first = await add("my smile.safetensors", SMILE);
    expect(first).toMatchObject({
      status: 201,
      body: { ref: "my smile", name: "my smile.safetensors", from: "workspace", kind: "LoRA", rank: 4, layers: 73 },
    });
    expect((await add("my smile.safetensors", SMILE)).body).toMatchObject({ ref: "my smile" });
    const eyes = readFileSync(
      fileURLToPath(new URL("../../embedded/sliders/eye-size.base.safetensors", import.meta.url)),
    );
    expect((await add("my smile.safetensors", eyes)).body).toMatchObject({ ref: "my smile-2" });
    expect((await refs()).filter(({ from }) => from === "workspace").map(({ ref }) => ref)).toEqual([
      "my smile-2",
      "my smile",
    ]);
    expect((await refs()).map(({ ref }) => ref)).toContain("smile.base");

    const request = {
      prompts: ["a cartoon character"],
      seeds: [3],
      mode: "base",
      steps: 2,
      size: { width: 64, height: 48 },
    };
    const use = (ref: string) => ({ ...request, adapters: [{ ref, scale: 2 }] });
    const pixels: string[] = [];
    for (const body of [use("my smile"), use("smile.base"), request]) {
      const { id } = z.object({ id: z.string() }).parse((await send("POST", "api/runs", body)).body);
      const image = (await events(id)).find(({ type }) => type === "image");
      const { image: saved } = z.object({ image: z.object({ id: z.string() }) }).parse(image?.data);
      const png = z.instanceof(Buffer).parse((await send("GET", `api/images/${saved.id}`)).body);
      expect(png.includes(workspace)).toBe(false);
      const restored = await upload("api/restore", png, "image/png");
      expect(restored).toMatchObject({
        status: 200,
        body: { request: body, image: { prompt: 0, seed: 3 }, notices: [] },
      });
      pixels.push(/"pixels":"(\w+)"/.exec(png.toString("latin1"))?.[1] ?? "");
    }
    expect(pixels[0]).toBe(pixels[1]);
    for (const form of ["command", "library"]) {
      const { body } = await send("POST", `api/export?as=${form}`, use("my smile"));
      const { text } = z.object({ text: z.string() }).parse(body);
      // The place of the workspace is told from where the studio was started, and nowhere else.
      const [before, after, ...more] = text.split(path.relative(process.cwd(), workspace));
      expect([after !== undefined, more.length]).toEqual([true, 0]);
      expect(`${before}${after}`).not.toContain(workspace);
    }
    expect(pixels[0]).not.toBe(pixels[2]);

    expect((await send("DELETE", "api/adapters/smile.base")).status).toBe(403);
    expect((await send("DELETE", "api/adapters/my%20smile-2")).status).toBe(204);
    expect((await send("DELETE", "api/adapters/my%20smile-2")).status).toBe(404);
    expect(readdirSync(loras)).toEqual(["my smile.safetensors"]);
    const refused = await send("POST", "api/runs", use("my smile-2"));
    expect(refused.status).toBe(400);
    expect(message(refused.body)).toMatch(/adapters\.0\.ref is "my smile-2"/);
  });

  it.each<[string, string, Uint8Array, RegExp]>([
    [
      "of another family",
      "sd15.safetensors",
      SD15,
      /sd15\.safetensors: .*Stable Diffusion 1\.x; the model is Stable Diffusion XL/,
    ],
    [
      "with NaN",
      "nan.safetensors",
      kohya("lora_unet_down_blocks_1_attentions_0_proj_in", 96, Number.NaN),
      /NaN|\[2, 96\]/,
    ],
    ["that is cut short", "cut.safetensors", SMILE.subarray(0, 9000), /cut\.safetensors: .*cut short/],
    ["whose header is longer than the file", "long.safetensors", Buffer.alloc(64, 255), /long\.safetensors: /],
    ["whose header is no JSON", "bad.safetensors", withHeader("{".repeat(200)), /bad\.safetensors: /],
    [
      "whose tensor lies outside of the file",
      "out.safetensors",
      withHeader('{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}'),
      /out\.safetensors: /,
    ],
    [
      "whose tensors overlap",
      "over.safetensors",
      Buffer.concat([
        withHeader(
          '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        ),
        Buffer.alloc(4),
      ]),
      /over\.safetensors: /,
    ],
    [
      "that is a pickle",
      "evil.pt",
      Buffer.from("\x80\x02c__builtin__\neval\n"),
      /evil\.pt: is not taken: expected a \.safetensors/,
    ],
    ["that is empty", "empty.safetensors", new Uint8Array(), /empty\.safetensors: is empty/],
  ])("refuse a file %s, with the reason and without its place", async (_, name, bytes, why) => {
    const before = readdirSync(loras);
    const { status, body } = await add(name, bytes);
    expect(status).toBe(422);
    expect(message(body)).toMatch(why);
    expect(message(body)).not.toContain(workspace);
    expect(readdirSync(loras)).toEqual(before);
    expect(readdirSync(path.join(workspace, "incoming"))).toEqual([]);
  });

  it("refuse other types, and more bytes than are allowed before they are sent", async () => {
    expect((await upload("api/adapters?name=a.safetensors", SMILE, "application/json")).status).toBe(415);
    expect((await upload("api/adapters?name=a.safetensors", SMILE, "multipart/form-data; boundary=x")).status).toBe(
      415,
    );
    expect((await send("POST", "api/adapters")).status).toBe(400);
  });

  it.each([
    ["../../etc/passwd.safetensors", "passwd"],
    ["C:\\loras\\a b.safetensors", "a b"],
    ["..safetensors", "adapter"],
    ["a\0b\u202e:*?.safetensors", "a_b____"],
  ])("%j is kept as %j", (given, name) => {
    expect(safeName(given)).toBe(name);
  });
});

describe("restore", { timeout: 240_000 }, () => {
  it("refuses what records no run, and says why", async () => {
    for (const [bytes, type, why] of [
      [Buffer.from('{"request":{}}'), "application/json", /record is damaged/],
      [Buffer.from('{"a":'), "application/octet-stream", /neither a run\.json nor a PNG/],
      [Buffer.from("\x89PNG\r\n\x1a\n cut"), "image/png", /the file/],
    ] as const) {
      const { status, body } = await upload("api/restore", bytes, type);
      expect(status).toBe(422);
      expect(message(body)).toMatch(why);
    }
  });

  it("names the file", async () => {
    const { body } = await upload("api/restore?name=notes.json", Buffer.from("{}"), "application/json");
    expect(message(body)).toBe(
      "notes.json: is JSON, but no record of a run; expected a run.json of `variegate generate`",
    );
  });

  it("brings back in another workspace the whole run of a PNG, which generate --from makes again from its batch", async () => {
    const request = {
      prompts: ["a cartoon character with horns", "a cartoon character with one eye"],
      size: { width: 64, height: 48 },
    };
    const make = async (seeds: number[], prompts = request.prompts) => {
      const { body } = await send("POST", "api/runs", { ...request, prompts, seeds });
      const all = await events(z.object({ id: z.string() }).parse(body).id);
      return all.flatMap(({ type, data }) =>
        type === "image"
          ? z.object({ image: z.object({ id: z.string(), prompt: z.number(), seed: z.number() }) }).parse(data).image
          : [],
      );
    };
    await make([2, 5], request.prompts.slice(1));
    const made = await make([1, 2, 3, 5]);
    const own = made.find(({ prompt, seed }) => prompt === 1 && seed === 5);
    const png = z.instanceof(Buffer).parse((await send("GET", `api/images/${own?.id}`)).body);
    expect(JSON.parse((await readPngText(png)).get("variegate") ?? "{}")).toMatchObject({
      request: { prompts: request.prompts.slice(1), seeds: [2, 5] },
      image: { prompt: 0, seed: 5 },
    });
    for (const place of [upload, elsewhere.upload]) {
      expect((await place("api/restore", png, "image/png")).body).toMatchObject({
        request: { ...request, seeds: [1, 2, 3, 5] },
        image: { prompt: 1, seed: 5 },
        notices: [],
      });
    }
    const folder = temporaryFolder();
    const [from, out] = [path.join(folder, "image.png"), path.join(folder, "again")];
    writeFileSync(from, png);
    const { status, stderr } = await runProgram(["generate", "--from", from, "--out", out]);
    expect([status, stderr]).toEqual([0, expect.stringContaining("1 of 1 image equals the recorded one")]);
    // The record too, to the byte.
    expect(readFileSync(path.join(out, "5.png")).equals(png)).toBe(true);
  });

  it("finds an adapter that a record names by a path, by its hash", async () => {
    const plan = z.object({ plan: z.unknown() });
    const recorded = {
      versions: { variegate: "0.0.1" },
      models: {},
      request: { prompts: ["a cartoon character"], adapters: [{ ref: "/elsewhere/s.safetensors", scale: 2 }] },
      sources: [{ role: "adapter", ref: "/elsewhere/s.safetensors", file: "s.safetensors", sha256: sha256(SMILE) }],
      ...plan.parse((await send("POST", "api/plan", { prompts: ["a cartoon character"] })).body),
    };
    const { status, body } = await upload("api/restore", Buffer.from(JSON.stringify(recorded)), "application/json");
    expect(status).toBe(200);
    expect(body).toMatchObject({ request: { adapters: [{ ref: "smile.base", scale: 2 }] }, version: "0.0.1" });
    // Of another pair.
    const base = { role: "base", ref: "/elsewhere/unet", file: "model.safetensors", sha256: "ab".repeat(32) };
    const other = { ...recorded, request: { prompts: ["a fox"] }, sources: [base] };
    const answer = await upload("api/restore", Buffer.from(JSON.stringify(other)), "application/json");
    expect(answer.body).toMatchObject({
      notices: expect.arrayContaining([
        "base model.safetensors of /elsewhere/unet: recorded with SHA-256 ababababab, not among the models here",
      ]),
    });
  });
});

describe("routes without a run", { timeout: 240_000 }, () => {
  it("write a request for other programs, or say what those cannot do", async () => {
    const request = { prompts: ["a fox"], seeds: [0, 1], switch: 2, adapters: [{ ref: "smile.base", on: "base" }] };
    const as = async (form: string, body: object = request) => send("POST", `api/export?as=${form}`, body);
    expect((await as("command")).body).toMatchObject({
      text: expect.stringMatching(
        /^variegate generate 'a fox' --threads 1 --switch 2 --seeds 0-1 --lora-base smile\.base$/,
      ),
    });
    expect((await as("library")).body).toMatchObject({ text: expect.stringContaining('"switch": 2') });
    const { adapters: _, ...plain } = request;
    expect((await as("diffusers", plain)).body).toMatchObject({
      file: "run.py",
      text: expect.stringContaining("import torch"),
    });
    const comfy = await as("comfyui");
    expect([comfy.status, message(comfy.body)]).toEqual([400, expect.stringMatching(/ComfyUI recognises UNets/)]);
    expect((await as("a1111")).status).toBe(400);
  });

  it("list models, and check a reference in sentences without a download", async () => {
    const { body } = await send("GET", "api/models");
    expect(body).toMatchObject({
      pairs: expect.arrayContaining([expect.objectContaining({ name: "embedded", cached: true })]),
    });
    const check = async (ref: string) => send("POST", "api/models/check", { ref });
    expect((await check("embedded:base")).body).toMatchObject({
      ok: true,
      family: "sdxl",
      sentences: expect.arrayContaining([expect.stringMatching(/use it with --base/)]),
    });
    const lora = path.join(temporaryFolder(), "other.safetensors");
    writeFileSync(lora, SD15);
    const beside = await send("POST", "api/models/check", { ref: lora, base: "embedded:base" });
    expect(beside.body).toMatchObject({
      ok: false,
      sentences: expect.arrayContaining([expect.stringMatching(/^embedded:base does not fit/)]),
    });
    const away = await check("nowhere/never");
    expect([away.status, message(away.body)]).toEqual([400, expect.stringMatching(/is not in the Hub's cache/)]);
    expect((await check("no-such-file")).status).toBe(422);
  });

  it("reported no error of their own", () => {
    expect(errors).toEqual([]);
  });
});

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
