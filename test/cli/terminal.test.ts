import { describe, expect, it } from "vitest";
import { table } from "../../src/cli/terminal.js";

describe("table", () => {
  it("sets words to the left and numbers to the right", () => {
    expect(
      table([
        ["mode", "ms"],
        ["base", "1234.5"],
        ["hybrid", "–"],
      ]),
    ).toBe(["mode        ms", "──────  ──────", "base    1234.5", "hybrid       –"].join("\n"));
  });

  it("gives wide letters two columns and combining ones none", () => {
    // Columns of each name: 4 × 1, 2 × 2, 1 × 2, 1 × 2 (a family of three joined by U+200D), 4 × 1 (e and U+0301).
    const names = ["name", "日本", "🙂", "👨\u200d👩\u200d👧", "cafe\u0301"];
    const lines = table(names.map((name, i) => [name, i === 0 ? "n" : `${i}`])).split("\n");
    expect(lines[1]).toBe("────  ─");
    expect([lines[0], ...lines.slice(2)]).toEqual([
      "name  n",
      "日本  1",
      "🙂    2",
      "👨\u200d👩\u200d👧    3",
      "cafe\u0301  4",
    ]);
  });

  it("sets numbers in front of wide letters to the right", () => {
    expect(
      table([
        ["色", "数字"],
        ["赤", "7"],
      ]),
    ).toBe(["色  数字", "──  ────", "赤     7"].join("\n"));
  });
});
