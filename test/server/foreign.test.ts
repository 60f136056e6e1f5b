import { describe, expect, it } from "vitest";
import { z } from "zod";
import { unsupportedFields } from "../../src/server/a1111-request.js";
import { studioForTests } from "../support/studio.js";

const { send, errors, url } = studioForTests();

const PNG = "iVBORw0KGgo";
const openai = z.object({
  data: z.array(z.object({ b64_json: z.string().optional(), url: z.string().optional() })),
  variegate: z.object({
    run: z.string(),
    seeds: z.array(z.number()),
    unsupported: z.array(z.object({ field: z.string() })),
  }),
});
const a1111 = z.object({
  images: z.array(z.string()),
  info: z.string(),
  variegate: z.object({ request: z.looseObject({}), unsupported: z.array(z.object({ field: z.string() })) }),
});

describe("OpenAI's API", { timeout: 240_000 }, () => {
  const generate = (body: object) => send("POST", "v1/images/generations", { size: "64x48", ...body });

  it("makes images with a hand-off, and names what has no effect", async () => {
    const { status, body } = await generate({
      ...{ prompt: "a cartoon character", model: "embedded:hybrid", n: 2, seed: 5, quality: "hd", user: null },
      variegate: { switch: 2 },
    });
    expect(status).toBe(200);
    const { data, variegate } = openai.parse(body);
    expect(variegate).toMatchObject({ seeds: [5, 6], unsupported: [{ field: "quality" }] });
    expect(data.map(({ b64_json }) => b64_json?.slice(0, 11))).toEqual([PNG, PNG]);
    const file = await fetch(data[1]?.url ?? "");
    expect(Buffer.from(await file.arrayBuffer()).toString("base64")).toBe(data[1]?.b64_json);
    expect((await send("GET", `api/runs/${variegate.run}`)).body).toMatchObject({
      state: "done",
      request: { switch: 2, mode: "hybrid", seeds: [5, 6], size: { width: 64, height: 48 } },
    });
    const only = openai.parse((await generate({ prompt: "x", response_format: "url" })).body);
    expect([only.data[0]?.b64_json, only.data[0]?.url?.startsWith(`${url()}api/images/`)]).toEqual([undefined, true]);
  });

  it.each<[object, number, string | null, RegExp]>([
    [{ prompt: "x", model: "dall-e-3" }, 404, null, /"dall-e-3" is not served; expected one of embedded:hybrid/],
    [{ prompt: "x", n: 0 }, 400, "n", /n is 0; expected an integer from 1 to 32/],
    [{ prompt: "x", size: "4096x128" }, 400, "size", /at most 262144 pixels/],
    [{ prompt: "x", sed: 1 }, 400, "sed", /did you mean "seed"/],
    [{ prompt: "x", stream: true }, 400, "stream", /events/],
    [{}, 400, "prompt", /prompt is missing/],
  ])("refuses %j in OpenAI's form", async (request, status, param, message) => {
    const answer = await generate(request);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({
      error: { type: "invalid_request_error", param, message: expect.stringMatching(message) },
    });
  });

  it("lists the pair in each mode", async () => {
    const { body } = await send("GET", "v1/models");
    expect(body).toMatchObject({
      data: [{ id: "embedded:hybrid" }, { id: "embedded:distilled" }, { id: "embedded:base" }],
    });
    expect((await send("GET", "v1/models/embedded:base")).body).toMatchObject({ object: "model" });
    expect((await send("GET", "v1/models/nothing")).status).toBe(404);
  });
});

describe("A1111's API", { timeout: 240_000 }, () => {
  const txt2img = (body: object) =>
    send("POST", "sdapi/v1/txt2img", { width: 64, height: 48, steps: 2, cfg_scale: 1, ...body });

  it("makes images from its own fields, with settings and a hand-off", async () => {
    const { status, body } = await txt2img({
      ...{ prompt: "a (cartoon:1.2) character <lora:smile.base:1>", negative_prompt: "", seed: 7, batch_size: 2 },
      ...{ sampler_name: "Euler a", scheduler: "Automatic", subseed: -1, hr_scale: 2, denoising_strength: 0.7 },
      ...{ restore_faces: true, override_settings: { CLIP_stop_at_last_layers: 2, eta_noise_seed_delta: 3 } },
      variegate: { mode: "hybrid", switch: 1 },
    });
    expect(status).toBe(200);
    const { images, info, variegate } = a1111.parse(body);
    expect(images.map((image) => image.slice(0, 11))).toEqual([PNG, PNG]);
    expect(JSON.parse(info)).toMatchObject({
      all_seeds: [7, 8],
      infotexts: [expect.stringContaining("Seed: 7"), expect.any(String)],
    });
    expect(variegate.request).toMatchObject({
      promptSyntax: "a1111",
      scheduler: "Euler a",
      steps: 2,
      guidance: 1,
      clipSkip: 1,
      switch: 1,
    });
    expect(variegate.unsupported.map(({ field }) => field)).toEqual([
      "restore_faces",
      "override_settings.eta_noise_seed_delta",
    ]);
  });

  it("keeps settings, lists what there is, and says how far it is", async () => {
    const set = await send("POST", "sdapi/v1/options", { sd_model_checkpoint: "embedded:base", samples_format: "png" });
    expect(set).toMatchObject({ status: 200, body: { unsupported: [{ field: "samples_format" }] } });
    expect((await send("GET", "sdapi/v1/options")).body).toMatchObject({ sd_model_checkpoint: "embedded:base" });
    const { variegate } = a1111.parse((await txt2img({ prompt: "x" })).body);
    expect(variegate.request).toMatchObject({ mode: "base" });
    const wrong = await send("POST", "sdapi/v1/options", { sd_model_checkpoint: "v1-5-pruned" });
    expect(wrong).toMatchObject({
      status: 404,
      body: { detail: expect.stringMatching(/"v1-5-pruned" is not served/) },
    });
    expect((await send("GET", "sdapi/v1/options")).body).toMatchObject({ sd_model_checkpoint: "embedded:base" });
    const samplers = z.array(z.object({ name: z.string() })).parse((await send("GET", "sdapi/v1/samplers")).body);
    expect(samplers.map(({ name }) => name)).toEqual(expect.arrayContaining(["Euler a", "DPM++ 2M", "DDIM"]));
    expect((await send("GET", "sdapi/v1/sd-models")).body).toMatchObject([{ title: "embedded:hybrid" }, {}, {}]);
    expect((await send("GET", "sdapi/v1/loras")).body).toEqual(
      expect.arrayContaining([expect.objectContaining({ name: "smile.base" })]),
    );
    expect((await send("GET", "sdapi/v1/progress")).body).toMatchObject({ progress: 0, state: { job_count: 0 } });
    const going = txt2img({ prompt: "x", steps: 40, batch_size: 8, variegate: { mode: "base" } });
    const seen: number[] = [];
    while (seen.length < 3) {
      const { progress } = z
        .object({ progress: z.number() })
        .parse((await send("GET", "sdapi/v1/progress?skip_current_image=true")).body);
      if (progress > (seen.at(-1) ?? 0)) seen.push(progress);
    }
    expect((await send("POST", "sdapi/v1/interrupt", {})).status).toBe(200);
    expect(await going).toMatchObject({ status: 409, body: { detail: "the run is cancelled" } });
  });

  it("refuses a sampler and a model that do not exist", async () => {
    const sampler = await txt2img({ prompt: "x", sampler_name: "Nope" });
    expect(sampler).toMatchObject({
      status: 400,
      body: { detail: expect.stringMatching(/scheduler Nope is not known/) },
    });
    const model = await txt2img({ prompt: "x", override_settings: { sd_model_checkpoint: "sdxl" } });
    expect(model.status).toBe(404);
  });

  it.each<[string, Record<string, unknown>, string[]]>([
    [
      "clients' defaults",
      { subseed: -1, s_noise: 1, s_churn: 0, styles: [], hr_upscaler: "Latent", script_name: null },
      [],
    ],
    ["a second pass", { enable_hr: true, hr_scale: 2, firstphase_width: 0 }, ["enable_hr", "hr_scale"]],
    ["extensions", { alwayson_scripts: { controlnet: { args: [] } }, tiling: true }, ["alwayson_scripts", "tiling"]],
    ["fields that every object has", { toString: null, constructor: 1 }, ["constructor"]],
  ])("names of %s what is not done", (_, body, fields) => {
    expect(unsupportedFields(body).map(({ field }) => field)).toEqual(fields);
  });

  it("reported no error of its own", () => {
    expect(errors).toEqual([]);
  });
});
