import { writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { cellsOf } from "../../src/experiments/cell.js";
import { parseDefinition, promptSeeds } from "../../src/experiments/definition.js";
import { frontExperiment } from "../../src/experiments/front.js";
import { frontRows, ratiosOf } from "../../src/experiments/markdown.js";
import { pageOf } from "../../src/experiments/page.js";
import { type CellResult, packed } from "../../src/experiments/store.js";
import { tableOf } from "../../src/experiments/table.js";
import { callsPerImage, planFor } from "../../src/generate/index.js";
import { uniform } from "../../src/metrics/index.js";
import { openPair, openPlanSource } from "../../src/open/index.js";
import { inBrowser } from "../support/browser.js";
import { temporaryFolder } from "../support/folder.js";
import { expectSelfContained, openPage } from "../support/page.js";

const random = uniform(11);
/** Rows with the angle between their seeds, how far their images are from the prompt's text, and their model calls. */
const ROWS = {
  narrow: { spread: 0.2, off: 0, calls: 4 },
  wide: { spread: 0.6, off: 0, calls: 4 },
  // As diverse as wide, at twice the cost.
  dear: { spread: 0.6, off: 0, calls: 8 },
  // More diverse, and off the prompt.
  wild: { spread: 0.9, off: 0.7, calls: 4 },
  // More diverse, and far off one prompt of six: its interval of adherence is too wide to tell, its mean is a tenth lower.
  shaky: { spread: 0.9, off: 0, calls: 4 },
} as const;
type Name = keyof typeof ROWS;

/** Three values: two of a plane that seeds vary in, and one that no prompt asks for. */
function feature(name: Name, prompt: string, seed: number): Float32Array {
  const { spread } = ROWS[name];
  const off = name === "shaky" && prompt === "a" ? 3 : ROWS[name].off;
  const angle = (seed - 1.5) * spread + 0.02 * (random() - 0.5);
  return Float32Array.of(Math.cos(angle), Math.sin(angle), off);
}

async function measured() {
  const definition = parseDefinition("x.json", {
    ...{ name: "x", title: "X", prompts: ["a", "b", "c", "d", "e", "f"], seeds: 4 },
    measures: ["distance", "vendi", "clip-score", "calls"],
    front: ["distance", "clip-score", "calls"],
    rows: Object.keys(ROWS).map((name) => ({ name, sampling: { mode: "distilled" } })),
  });
  const names = Object.keys(ROWS) as Name[];
  const origins = new Map(
    names.map((name) => [
      name,
      { plan: { rows: [{ name }] } as never, calls: ROWS[name].calls, steps: 4, weights: "w" },
    ]),
  );
  const cells = cellsOf(definition, promptSeeds(definition), origins);
  const none = { factors: null, probabilities: null, numbers: null, curve: null, steps: null };
  const results = new Map(
    cells.map(({ id, row, samples, calls }): [string, CellResult] => [
      id,
      {
        ...{ cell: id, calls, milliseconds: 1, workers: 1, timesteps: [999] },
        pictures: samples.map(({ prompt, seed }) => ({
          ...{ prompt, seed, ...none },
          features: { clip: packed(feature(row.name as Name, prompt, seed)), sharpness: packed(Float32Array.of(0.25)) },
        })),
      },
    ]),
  );
  const reader = { clip: { text: async () => Float32Array.of(1, 0, 0) }, classifier: null };
  return tableOf({ definition, cells, origins }, results, new Map(names.map((name) => [name, reader])), null);
}

const details = {
  images: (row: string) => [`data:image/png;base64,${Buffer.from(row).toString("base64")}`],
  sampling: () => ({ mode: "hybrid", switch: 2, diversity: [{ method: "cads", scale: 0.5 }] }) as const,
  models: ["--pair", "x"],
};

/** In the page: what lies at the middle of each point, how many intervals catch the pointer, and the room right of the drawn name. */
const LOOKED = `(() => {
  const middle = (e, d = 0) => {
    const { x, y, width, height } = e.getBoundingClientRect();
    const part = d === 0 ? 2 : 8;
    return document.elementFromPoint(x + width / part + d, y + height / part + d);
  };
  const names = [...document.querySelectorAll(".front .point circle")].map((circle) => middle(circle).tagName);
  const lines = [...document.querySelectorAll(".front svg g line")];
  const hit = lines.filter((line) => [-0.4, 1e-9, 0.4].some((d) => middle(line, d) === line)).length;
  const [box, label] = [".front svg", ".front .named text"].map((s) => document.querySelector(s).getBoundingClientRect());
  return { names, hit, room: box.right - label.right };
})()`;

describe("a front", async () => {
  const table = await measured();
  const pageWith = () => {
    const about = { command: "variegate experiment", versions: {}, models: "", student: null, reference: null };
    return pageOf([table], { ...about, places: [] }, new Map(), () => details);
  };

  it("marks a row that another beats surely in one measure, and in none falls behind", () => {
    // wild has lower CLIP scores, and so has shaky on average; dear has no measure in which wide is surely better but its calls.
    expect(table.front?.points).toMatchObject([
      { row: "narrow", dominatedBy: null },
      { row: "wide", dominatedBy: null },
      { row: "dear", dominatedBy: "wide" },
      { row: "wild", dominatedBy: null },
      { row: "shaky", dominatedBy: null },
    ]);
    expect(frontRows(table).slice(1)).toEqual([
      ["narrow", "none"],
      ["wide", "none"],
      ["dear", "wide"],
      ["wild", "none"],
      ["shaky", "none"],
    ]);
  });

  it("tells what each row has of the plain row of its mode", () => {
    const [head = [], ...rows] = ratiosOf(table);
    expect(head).toEqual(["ratio to the plain row", "of", "CLIP distance", "CLIP score (100 cos)", "model calls"]);
    expect(rows.map((row) => row.slice(0, 2))).toEqual(["wide", "dear", "wild", "shaky"].map((n) => [n, "narrow"]));
    const dear = table.front?.points[2]?.ratios;
    expect(dear?.calls?.mean).toBe(2);
    const [distance, plain] = [table.rows[2], table.rows[0]].map((row) => row?.values.distance?.mean ?? Number.NaN);
    expect(dear?.distance?.mean).toBeCloseTo((distance ?? 0) / (plain ?? 0), 6);
    expect(dear?.distance?.low).toBeGreaterThan(1);
  });

  it("is drawn with the images, numbers and command of each point", () => {
    const file = path.join(temporaryFolder(), "report.html");
    writeFileSync(file, pageWith());
    const page = openPage(file);
    expectSelfContained(page);
    const points = [...page.document.querySelectorAll(".front .point")];
    expect(points.map((p) => p.getAttribute("data-name")).toSorted((a, b) => ((a ?? "") < (b ?? "") ? -1 : 1))).toEqual(
      ["dear", "narrow", "shaky", "wide", "wild"],
    );
    expect(page.document.querySelectorAll(".front .dominated")).toHaveLength(1);
    expect(page.text(".front figcaption")).toContain("4 of 5 points are not dominated");
    points
      .find((p) => p.getAttribute("data-name") === "dear")
      ?.dispatchEvent(new page.document.defaultView.Event("focus"));
    expect(page.text(".front aside h3")).toBe("dear");
    expect(page.text(".front aside p")).toBe("dominated by wide");
    expect(page.text(".front aside code")).toMatch(
      /^variegate generate "a" --pair x .*--switch 2.*--diversity cads:scale=0.5/,
    );
    expect(page.images()).toEqual([details.images("dear")[0]]);
  });

  inBrowser(
    "shows the point under the pointer, whatever intervals cross it, and whole names, and copies a command",
    async (browser) => {
      const file = path.join(temporaryFolder(), "report.html");
      // The row on the far right gets a name that is drawn, and all get intervals that cross other points.
      const html = pageWith()
        .replaceAll("narrow", "distilled")
        .replaceAll(/"low":[\d.e-]+/g, '"low":0.01');
      writeFileSync(file, html);
      const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] });
      const page = await context.newPage();
      await page.goto(pathToFileURL(file).href);
      for (const axis of ["clip-score", "calls"]) {
        await page.locator(".front .axes select").nth(1).selectOption(axis);
        const found = z
          .object({ names: z.array(z.string()), hit: z.number(), room: z.number() })
          .parse(await page.evaluate(LOOKED));
        expect(found.names).toEqual(Object.keys(ROWS).map(() => "circle"));
        expect(found.hit).toBe(0);
        expect(found.room).toBeGreaterThanOrEqual(0);
      }
      await page.locator('.front .point[data-name="wild"]').hover();
      expect(await page.locator(".front aside h3").textContent()).toBe("wild");
      const copy = page.getByRole("button", { name: "Copy the command" });
      await copy.click();
      await page.getByRole("button", { name: "Copied" }).waitFor();
      const command = await page.locator(".front aside code").textContent();
      expect(await page.evaluate("navigator.clipboard.readText()")).toBe(command);
      // A browser that gives no clipboard to pages from disk.
      await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined }) && null");
      await page.locator('.front .point[data-name="wide"]').hover();
      await copy.click();
      await page.getByRole("button", { name: "Selected" }).waitFor();
      expect(await page.evaluate("String(getSelection())")).toContain("variegate generate");
    },
    60_000,
  );
});

describe("the front of all methods", async () => {
  const pair = await openPlanSource({});
  const lora = await openPair({ pair: "embedded-lora" }, { threads: 1 });
  afterAll(() => lora.close());

  it("compares base, distilled model and hybrid with every method that the pair can run", () => {
    const { rows, seeds, prompts } = frontExperiment(pair, { prompts: ["a", "b", "b", "c"], images: 100 });
    expect([prompts.length, seeds]).toEqual([3, 34]);
    const many = Array.from({ length: 100 }, (_, i) => `prompt ${i}`);
    const sizes = [12, 128, 1024].map((images) => frontExperiment(pair, { prompts: many, images }));
    expect(sizes.map((d) => [d.prompts.length, d.seeds])).toEqual([
      [6, 2],
      [16, 8],
      [64, 16],
    ]);
    const names = rows.map((r) => r.name);
    expect(names.slice(0, 3)).toEqual(["base", "distilled", "hybrid"]);
    expect(new Set(names).size).toBe(names.length);
    for (const method of ["cads", "particles", "spread", "anchor 5 of 30", "choose 1 of 4", "k = 2, ddim", "2 : 1"])
      expect(names.some((name) => name.includes(method))).toBe(true);
    expect(names.some((name) => name.includes("partial-lora"))).toBe(false);
    expect(frontExperiment(lora, { prompts: ["a"], images: 8 }).rows.some((r) => r.name.includes("partial-lora"))).toBe(
      true,
    );
    for (const { sampling } of rows) expect(callsPerImage(pair, planFor(pair, sampling))).toBeGreaterThan(0);
  });

  it("keeps within a budget of model calls", () => {
    const { rows } = frontExperiment(pair, { prompts: ["a"], images: 8, budget: 4 });
    for (const { name, sampling } of rows.slice(3))
      expect({ name, within: callsPerImage(pair, planFor(pair, sampling)) <= 4 }).toEqual({ name, within: true });
  });
});
