import { describe, expect, it } from "vitest";

const { claimsOn, sideBySide } = await import(new URL("../../scripts/side-by-side.js", import.meta.url).href);

const page = (here: string) => `# Results

## Summary

| experiment | the paper |
|---|---|
| Table 3: distance | x |

## Table 3: distance

Paper: y

| claim | measure | here [95 %] | paper | verdict |
|---|---|---|---|---|
| less diverse | CLIP distance: distilled ÷ base | ${here} | 0.80 | agrees |

## Figure 7b: steps

| claim | measure | here [95 %] | verdict |
|---|---|---|---|
| adds little | entropy: 2 steps ÷ 1 step | 1.00 [0.99, 1.01] | agrees |

| images | calls |
|---|---|
| 1 | 2 |
`;

describe("two pages of results side by side", () => {
  it("reads the tables of claims and no others", () => {
    expect(claimsOn(page("0.72 [0.65, 0.80]"))).toEqual([
      {
        experiment: "Table 3: distance",
        claim: "less diverse",
        measure: "CLIP distance: distilled ÷ base",
        here: "0.72 [0.65, 0.80]",
        paper: "0.80",
        verdict: "agrees",
      },
      expect.objectContaining({ experiment: "Figure 7b: steps", paper: "–", verdict: "agrees" }),
    ]);
  });

  it("puts the claims that both have between the summary and the experiments, and replaces them", () => {
    const other = page("0.93 [0.90, 0.96]").replace("adds little", "adds something");
    const both = sideBySide(page("0.72 [0.65, 0.80]"), other);
    expect(both).toContain(
      "| Table 3 | less diverse | CLIP distance: distilled ÷ base | 0.80 | 0.72 [0.65, 0.80], agrees | 0.93 [0.90, 0.96], agrees |",
    );
    expect(both).not.toContain("adds something");
    expect(both.indexOf("## Summary")).toBeLessThan(both.indexOf("## Both pairs"));
    expect(both.indexOf("## Both pairs")).toBeLessThan(both.indexOf("## Table 3"));
    expect(sideBySide(both, other)).toBe(both);
  });

  it("leaves a page as it is while the other is not there", () => {
    expect(sideBySide(page("1"), "")).toBe(page("1"));
  });
});
