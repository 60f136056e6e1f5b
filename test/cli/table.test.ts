import fc from "fast-check";
import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import { type Column, columnsOf, fitTable, table, wrap } from "../../src/cli/table.js";

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

describe("fitTable", () => {
  type Pair = readonly [name: string, about: string, size: string, licence: string];
  const columns: readonly Column<Pair>[] = [
    { title: "pair", of: ([name]) => name },
    { title: "about", of: ([, about]) => about, text: true },
    { title: "size", of: ([, , size]) => size, drop: 2 },
    { title: "licence", of: ([, , , licence]) => licence, drop: 1 },
  ];
  const rows: readonly Pair[] = [
    ["turbo", "one step of an adversarially distilled model", "512", "community"],
    ["lcm", "four steps", "1024", "MIT"],
  ];

  it("leaves a table that fits as it is", () => {
    const { text, left } = fitTable(columns, rows, { width: 80 });
    expect(left).toEqual([]);
    // 5 + 2 + 44 + 2 + 4 + 2 + 9 columns.
    expect(text.split("\n")[2]).toBe("turbo  one step of an adversarially distilled model   512  community");
  });

  it("breaks free text first, into the width that is left", () => {
    const { text, left } = fitTable(columns, rows, { width: 60 });
    expect(left).toEqual([]);
    // The text takes 36 columns: 60 less 5 + 4 + 9 and three gaps of 2.
    expect(text.split("\n").slice(2)).toEqual([
      "turbo  one step of an adversarially           512  community",
      "       distilled model",
      "lcm    four steps                            1024  MIT",
    ]);
  });

  it("breaks titles of more than a word, above the rule", () => {
    const numbers = columnsOf(["mode", "distance to scale 0"]);
    // 6 + 2 + 8: "distance" is the longest word.
    expect(fitTable(numbers, [["hybrid", "0.123"]], { width: 16 }).text.split("\n")).toEqual([
      "mode    distance",
      "        to scale",
      "               0",
      "──────  ────────",
      "hybrid     0.123",
    ]);
  });

  it("then leaves out columns, the least important first", () => {
    // The text takes at least 24 columns: all four need 5 + 24 + 4 + 9 and three gaps of 2.
    expect(fitTable(columns, rows, { width: 48 }).left).toEqual([]);
    expect(fitTable(columns, rows, { width: 47 }).left).toEqual(["licence"]);
    expect(fitTable(columns, rows, { width: 36 }).left).toEqual(["licence", "size"]);
  });

  it("makes cards of rows where even that is too wide, or every column is asked for", () => {
    expect(fitTable(columns, rows, { width: 40, all: true })).toEqual({
      left: [],
      text: [
        "pair     turbo",
        "about    one step of an adversarially",
        "         distilled model",
        "size     512",
        "licence  community",
        "",
        "pair     lcm",
        "about    four steps",
        "size     1024",
        "licence  MIT",
      ].join("\n"),
    });
  });

  it("keeps every line within the width, and every word", () => {
    const cell = fc
      .array(fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom("a", "b", "色", "é") }))
      .map((w) => w.join(" "));
    const titles = ["first", "second", "third"];
    const facts = { second: { text: true }, third: { drop: 1 } } as const;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell, cell), { minLength: 1 }),
        fc.integer({ min: 40, max: 120 }),
        (cells, width) => {
          const { text, left } = fitTable(columnsOf(titles, facts), cells, { width });
          for (const line of text.split("\n")) expect(stringWidth(line)).toBeLessThanOrEqual(width);
          const letters = (s: string) =>
            [...s]
              .filter((c) => "ab色é".includes(c))
              .sort((a, b) => a.localeCompare(b))
              .join("");
          const shown = cells.flatMap((row) => (left.length > 0 ? row.slice(0, 2) : row)).join("");
          expect(letters(text.replace(/first|second|third/g, ""))).toBe(letters(shown));
        },
      ),
    );
  });
});

describe("wrap", () => {
  it("breaks at spaces, and words longer than a line inside", () => {
    expect(wrap("one two three", 7)).toEqual(["one two", "three"]);
    expect(wrap("see /a/long/path.json", 8)).toEqual(["see", "/a/long/", "path.jso", "n"]);
    expect(wrap("", 5)).toEqual([""]);
  });
});
