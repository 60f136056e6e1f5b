import { barY, dot, ruleY } from "@observablehq/plot";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { loadChart } from "../../src/report/index.js";

const chart = await loadChart();

describe("chart", () => {
  it("draws marks as an SVG that an image library reads", async () => {
    const svg = chart({ width: 300, height: 200, marks: [barY([1, 5, 3]), ruleY([0])] });
    expect(svg).toMatch(/^<svg/);
    expect(svg.match(/<rect/g)).toHaveLength(3);
    const { width, height } = await sharp(Buffer.from(svg)).metadata();
    expect([width, height]).toEqual([300, 200]);
  });

  it("keeps text of the data from becoming markup", () => {
    const svg = chart({ marks: [dot([{ x: "</svg><script>", y: 1 }], { x: "x", y: "y" })] });
    expect(svg).not.toContain("<script");
  });

  it("wraps a titled chart in a figure", () => {
    expect(chart({ title: "A & B", marks: [ruleY([0])] })).toMatch(/^<figure[\s\S]*A &amp; B[\s\S]*<svg/);
  });
});
