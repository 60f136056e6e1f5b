import { readdirSync } from "node:fs";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FloatTensor, float } from "../../src/tensor/index.js";
import { componentFolder, componentGolden, pairReference, stemOf } from "../support/checkpoint.js";
import { filesOf, type Hub, startHub } from "../support/hub.js";
import { computeIn, type InPage, launch, type PlainTensor, program, runIn } from "../support/in-chromium.js";
import { expectOutputs, networkSchema } from "../support/network-golden.js";
import { expectPainted, type PaintedEvent, painted, pipelineSchema } from "../support/painted.js";
import { description, tensors } from "../support/parity.js";
import { buildWebPage, bundleForPages, ISOLATED, type StaticServer, serveWebPage } from "../support/web-page.js";

/** Pipelines whose networks are those of every family, with guidance, negative prompts, hand-offs, and storage in parts, halves and archives. */
const NAMES = [
  "sd1",
  "sd1-tiny-decoder",
  "sd2-zero-snr",
  "sdxl-negative",
  "segmind",
  "hybrid-1-guided",
  "zimage-hybrid-1",
  "zimage-tiny-decoder",
  "klein-hybrid-1-guided",
];

/** Single networks, one of each kind. */
const NETWORKS = [
  "unet-sd1",
  "unet-sdxl",
  "vae-sd1",
  "vae-flux2",
  "taesd",
  "text-sd1",
  "text-sdxl-2",
  "clip",
  "qwen3",
  "z-image",
  "flux2",
];

const tensor = ({ shape, data }: PlainTensor): FloatTensor => float(shape, Float32Array.from(data));

/** Events of a page, with tensors as in Node. */
function eventsOf({ steps, images }: InPage): PaintedEvent[] {
  const last = new Map<string, FloatTensor>();
  const taken = steps.map((step): PaintedEvent => {
    const key = `${step.prompt} ${step.seed}`;
    const before = last.get(key);
    const xt = step.goesOn && before ? before : tensor(step.xt);
    const next = tensor(step.next);
    last.set(key, next);
    const { prompt, seed, timestep } = step;
    return { type: "step", prompt, seed, timestep, xt, next, x0: tensor(step.x0) };
  });
  const seen = images.map(({ prompt, seed, width, height, data }): PaintedEvent => {
    const latents = last.get(`${prompt} ${seed}`) ?? float([0], new Float32Array());
    return { type: "image", prompt, seed, latents, image: { width, height, data: Uint8Array.from(data) } };
  });
  return [...taken, ...seen];
}

describe.skipIf(!program)("goldens in Chromium", { timeout: 200_000 }, () => {
  let browser: Browser;
  let server: StaticServer;
  let hub: Hub;
  let page: Page;
  beforeAll(async () => {
    await buildWebPage();
    server = await serveWebPage(ISOLATED, await bundleForPages("networks-in-page"));
    hub = await startHub({});
    browser = await launch();
    page = await (await browser.newContext()).newPage();
    await page.goto(`${server.url}blank.html`);
  }, 120_000);
  afterAll(async () => {
    await browser.close();
    server.close();
    await hub.close();
  });

  /** Puts a folder, or a file, into the Hub, and returns its id. */
  function published(place: string): string {
    const isFile = path.extname(place) !== "";
    const folder = isFile ? path.dirname(place) : place;
    const id = `goldens/${path.basename(folder)}`;
    hub.repositories = { ...hub.repositories, [id]: { revisions: { main: filesOf(folder) } } };
    return isFile ? `${id}/${path.basename(place)}` : id;
  }

  it.each(NETWORKS)("network %s", async (name) => {
    const { component, runs } = description(`networks/${name}`, networkSchema);
    const golden = componentGolden(component);
    const folder = componentFolder(component);
    const id = published(folder);
    const computed = await computeIn(page, {
      network: { class: golden.class, config: golden.config },
      stem: stemOf(golden),
      files: Object.fromEntries(
        readdirSync(folder).map((file) => [file, `${hub.endpoint}/${id}/resolve/main/${file}`]),
      ),
      runs: runs.map(({ inputs }) => inputs),
    });
    const recorded = await tensors(`networks/${name}`);
    expect(computed.length).toBe(runs.length);
    for (const [i, run] of runs.entries()) {
      const outputs = Object.fromEntries((computed[i] ?? []).map((each) => [each.name, tensor(each)]));
      expectOutputs(outputs, run, i, recorded);
    }
  });

  it.each(NAMES)("pipeline %s", async (name) => {
    const golden = description(`pipelines/${name}`, pipelineSchema);
    const models = Object.entries(pairReference(golden.pair)).map(([part, place]) => [part, published(String(place))]);
    const run = await runIn(page, golden.request, {
      ...{ ...Object.fromEntries(models), hub: hub.endpoint, threads: 1, keepSteps: true },
    });
    expect(run.error).toBeNull();
    expectPainted(await painted(eventsOf(run), golden.request), golden, await tensors(`pipelines/${name}`));
  });
});
