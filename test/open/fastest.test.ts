import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { computeFile, fastestOf, type MeasuredCompute } from "../../src/open/fastest.js";
import { openPair, openPlanSource } from "../../src/open/index.js";
import { temporaryFolder } from "../support/folder.js";

const measured = (compute: MeasuredCompute["compute"], milliseconds: number, difference: number): MeasuredCompute => ({
  device: compute === "bfloat16" ? "openvino" : "cpu",
  compute,
  milliseconds,
  difference,
});

describe("the fastest compute type", () => {
  it("is the fastest of those whose images stay near float32's", () => {
    const float32 = measured("float32", 100, 0);
    expect(fastestOf([float32, measured("int8", 80, 1.2), measured("bfloat16", 40, 1.4)])).toMatchObject({
      device: "openvino",
      compute: "bfloat16",
    });
    expect(fastestOf([float32, measured("int8", 80, 1.2), measured("bfloat16", 40, 1.6)]).compute).toBe("int8");
    expect(fastestOf([float32, measured("int8", 120, 0.1)]).compute).toBe("float32");
  });
});

describe("--compute auto", { timeout: 240_000 }, () => {
  beforeEach(() => {
    process.env["XDG_CACHE_HOME"] = temporaryFolder();
  });

  it("measures the pair once, remembers it for its files, and opens it so", async () => {
    const seen: string[] = [];
    const open = () =>
      openPair({ compute: "auto", device: "cpu" }, { threads: 1, onMeasure: (m) => seen.push(m.compute) });
    await using first = await open();
    expect(seen).toEqual(["float32", "int8"]);
    const file = computeFile();
    const { pairs } = JSON.parse(readFileSync(file, "utf8"));
    expect(pairs).toHaveLength(1);
    expect(pairs[0].measured).toMatchObject([
      { device: "cpu", compute: "float32", difference: 0 },
      { device: "cpu", compute: "int8" },
    ]);
    expect(pairs[0].measured[1].difference).toBeGreaterThan(0.01);
    expect(first.engine.compute).toBe(fastestOf(pairs[0].measured).compute);

    // What stands there decides, without a new measurement.
    const slow = pairs[0].measured[1].milliseconds + 1;
    pairs[0].measured[0].milliseconds = slow;
    pairs[0].measured[1].difference = 0.5;
    writeFileSync(file, JSON.stringify({ pairs }));
    seen.length = 0;
    await using second = await open();
    expect(second.engine.compute).toBe("int8");
    expect(seen).toEqual([]);

    // A damaged cache is measured again.
    writeFileSync(file, "{");
    await using third = await open();
    expect(["float32", "int8"]).toContain(third.engine.compute);
    expect(JSON.parse(readFileSync(file, "utf8")).pairs).toHaveLength(1);
    expect(path.dirname(file).startsWith(process.env["XDG_CACHE_HOME"] ?? "?")).toBe(true);
  });

  it("needs no measurement for a plan", async () => {
    expect((await openPlanSource({ compute: "auto" })).distilled).not.toBeNull();
  });
});
