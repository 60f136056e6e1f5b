import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { cellsOf } from "../../src/experiments/cell.js";
import { type ExperimentRow, parseDefinition, promptSeeds } from "../../src/experiments/definition.js";
import { openModelCache, openModels, originOf } from "../../src/experiments/models.js";
import { generateCell } from "../../src/experiments/samples.js";

const PACKAGES = fileURLToPath(new URL("../../packages", import.meta.url));
const models = await openModels({}, {});
afterAll(() => models.pair.close());

const definition = parseDefinition("x.json", {
  name: "small",
  title: "Small",
  prompts: ["a cartoon character", "a red cartoon character", "a blue cartoon character"],
  seeds: 1,
  rows: [{ name: "distilled", sampling: { mode: "distilled", size: { width: 32, height: 24 } } }],
  measures: ["distance"],
});
const [row] = definition.rows;
if (!row) throw new Error("one row");
const [cell] = cellsOf(
  definition,
  promptSeeds(definition),
  new Map([[row.name, await originOf(models, row, definition)]]),
);
if (!cell) throw new Error("one cell");

/** Latents that the distilled model is asked about while `run` runs. */
async function callsOf(run: () => Promise<unknown>): Promise<number> {
  const network = models.pair.distilled?.network;
  if (!network) throw new Error("the embedded pair has a distilled model");
  const own = network.run;
  let calls = 0;
  Object.assign(network, {
    run: (...given: Parameters<typeof own>) => {
      calls += given[1]["sample"]?.shape[0] ?? 0;
      return own(...given);
    },
  });
  try {
    await run();
  } finally {
    Object.assign(network, { run: own });
  }
  return calls;
}

describe("the samples of a cell", { timeout: 240_000 }, () => {
  it("are preceded by one image that warms up, the first time only", async () => {
    const made = () => generateCell(models, cell, { workers: 1, place: { host: "here", machine: "cpu" } });
    expect(await callsOf(made)).toBe(3 * 4 + 4);
    expect(await callsOf(made)).toBe(3 * 4);
  });
});

it("a method that acts between the images of a prompt has all of its seeds", { timeout: 60_000 }, async () => {
  const own = parseDefinition("x.json", {
    ...{ ...definition, prompts: ["a cartoon character"], seeds: 2 },
    rows: [{ name: "apart", sampling: { ...row.sampling, diversity: [{ method: "particles" }] } }],
  });
  const [apart] = own.rows;
  if (!apart) throw new Error("one row");
  const [both] = cellsOf(own, promptSeeds(own), new Map([[apart.name, await originOf(models, apart, own)]]));
  if (!both) throw new Error("one cell");
  const { result, images } = await generateCell(models, both, { workers: 1, place: { host: "here", machine: "cpu" } });
  expect(images).toHaveLength(2);
  expect(result.pictures.map((p) => p.features["sharpness"])).toEqual([expect.any(String), expect.any(String)]);
});

it("the syntax of prompts and the LoRAs that they name are part of what results follow from", async () => {
  const prompts = ["a cartoon character <lora:smile.base:1>"];
  const idOf = async (sampling: object) => {
    const own = parseDefinition("x.json", { ...definition, prompts, rows: [{ name: "distilled", sampling }] });
    const [asked] = own.rows;
    if (!asked) throw new Error("one row");
    const origin = await originOf(models, asked, own);
    return { weights: origin.weights, id: cellsOf(own, promptSeeds(own), new Map([[asked.name, origin]]))[0]?.id };
  };
  const plain = await idOf({ mode: "distilled" });
  const a1111 = await idOf({ mode: "distilled", promptSyntax: "a1111" });
  const skipped = await idOf({ mode: "distilled", clipSkip: 1 });
  expect(a1111.weights).not.toBe(plain.weights);
  expect(skipped.weights).toBe(plain.weights);
  expect(new Set([plain.id, a1111.id, skipped.id]).size).toBe(3);
});

it("textual inversions are part of what results follow from", async () => {
  const ref = "embedded:adapters/pip.safetensors";
  const prints = [models.fingerprint];
  for (const token of ["<p>", "<q>"]) {
    const own = await openModels({ embeddings: [{ ref, token }] });
    prints.push(own.fingerprint);
    await own.pair.close();
  }
  expect(new Set(prints).size).toBe(3);
});

describe("models of a row", () => {
  const row = (models?: ExperimentRow["models"]): ExperimentRow => ({
    ...{ name: "one", sampling: { mode: "distilled" }, follow: false, paper: {} },
    ...(models && { models }),
  });

  it("are the request's, whose base a distilled model alone runs with", async () => {
    const cache = openModelCache({ pair: "emoji" }, {});
    const distilled = path.join(PACKAGES, "pair-emoji/adapters/distilled.safetensors");
    try {
      const [asked, own, other] = await Promise.all(
        [row(), row({ distilled }), row({ pair: "embedded" })].map((one) => cache.modelsOf(one)),
      );
      expect(own?.pair.base.ref).toBe(asked?.pair.base.ref);
      expect(own?.pair.distilled?.ref).toBe(distilled);
      expect(other?.pair.base.ref).toBe("embedded:base");
    } finally {
      await cache.close();
    }
  });
});
