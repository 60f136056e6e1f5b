import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as api from "../src/index.js";

/** By code units, so that the list is the same everywhere. */
const sorted = (names: readonly string[]) => [...names].sort((a, b) => (a < b ? -1 : 1));
const read = (file: string) => readFileSync(new URL(`../${file}`, import.meta.url), "utf8");

describe("the public API", () => {
  it("is this list of names", () => {
    const names = [...read("src/index.ts").matchAll(/export (type )?\{([^}]*)\}/g)].flatMap(([, type, list = ""]) =>
      list
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== "")
        .map((name) => (type ? `type ${name}` : name)),
    );
    const values = names.filter((name) => !name.startsWith("type "));
    expect(sorted(values)).toEqual(sorted(Object.keys(api)));
    expect(sorted(values).join(" ")).toMatchInlineSnapshot(
      `"FileError MachineError NonFiniteError PAIRS RequestError UnsupportedConfigError VariegateError WeightMissingError WeightShapeError checkReference comfyWorkflow decodeLatents describePlan diffusersScript diversity evaluate eventJson examine extractAdapter generate keptDiversity measure mergeAdapters openEvaluator openPair openPlanSource openPreview parseDefinition planFor readPairs requestForMode requestSchema runExperiments savePng slide summarise trace"`,
    );
    expect(
      sorted(names.filter((n) => n.startsWith("type ")).map((n) => n.slice("type ".length))).join(" "),
    ).toMatchInlineSnapshot(
      `"CheckReport ComfyWorkflow Definition DiverseImage Diversity FloatTensor GenerateEvent GenerateRequest GeneratedImage ImageRequest MeasureRequest Measurement Mode NoiseLevel OpenOptions OpenedPair PairReference PairRow Plan Preview PreviewOptions RgbImage Row SampleKey Slide SlideRequest StepEvent Trace TraceRequest"`,
    );
  });

  it("has a sub-path for rooms, each with its own face and no others", () => {
    const { exports } = JSON.parse(read("package.json")) as { exports: Record<string, { default: string }> };
    for (const [name, { default: file }] of Object.entries(exports)) {
      if (name === ".") continue;
      expect(name).toMatch(/^\.\/[a-z]+(\/node)?$/);
      // dist/web is the page.
      const room = name === "./web" ? "browser" : name.slice(2);
      expect(existsSync(new URL(`../src/${room}/index.ts`, import.meta.url))).toBe(true);
      expect(file).toBe(`./dist/${room}/index.js`);
    }
  });

  it("every room of src stands in the table of rooms", () => {
    const table = JSON.parse(read("rooms.json")) as { room: string; floor: number; imports: string[] }[];
    const folders = readdirSync(new URL("../src", import.meta.url), { withFileTypes: true });
    expect(sorted(table.map((r) => r.room))).toEqual(
      sorted(folders.filter((entry) => entry.isDirectory()).map((entry) => entry.name)),
    );
    const floorOf = new Map(table.map((r) => [r.room, r.floor]));
    for (const { room, floor, imports } of table) {
      for (const other of imports) expect(floorOf.get(other), `${room} → ${other}`).toBeLessThan(floor);
    }
  });
});
