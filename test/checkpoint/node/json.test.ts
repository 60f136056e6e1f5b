import { writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readJson } from "../../../src/checkpoint/node/index.js";
import { FileError } from "../../../src/errors.js";
import { temporaryFolder } from "../../support/folder.js";

const file = path.join(temporaryFolder(), "config.json");
const read = (text: string) => {
  writeFileSync(file, text);
  return readJson(file);
};

/** JSON as Python's json.dumps writes it: infinities are bare words. */
function python(value: unknown): string {
  if (typeof value === "number" && !Number.isNaN(value)) return Object.is(value, -0) ? "-0.0" : String(value);
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([k, v]) => `${JSON.stringify(k)}: ${python(v)}`)
    .join(", ")}}`;
}

const words = fc.constantFrom(": Infinity", ": NaN", '", -Infinity', "\\", '\\": NaN', "[NaN, Infinity]");
const text = fc.array(fc.oneof(words, fc.string())).map((parts) => parts.join(""));
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: "small" },
    fc.oneof(text, fc.double({ noNaN: true }), fc.boolean(), fc.constant(null)),
    fc.array(tie("tree")),
    // JSON.parse makes a property of __proto__, a literal does not.
    fc.dictionary(
      text.filter((key) => key !== "__proto__"),
      tie("tree"),
      { noNullPrototype: true },
    ),
  ),
}));

describe("readJson", () => {
  it("reads what Python writes, infinities as numbers and every string unchanged", async () => {
    await fc.assert(
      fc.asyncProperty(tree, async (value) => {
        expect(await read(python(value))).toEqual(value);
      }),
    );
  });

  it("reads NaN as null wherever a value stands, and leaves the same word in a string", async () => {
    expect(await read('[NaN, {"a: NaN": NaN, "b": "x: NaN, -Infinity", "c":-Infinity}]')).toEqual([
      null,
      { "a: NaN": null, b: "x: NaN, -Infinity", c: Number.NEGATIVE_INFINITY },
    ]);
  });

  it.each(["1Infinity", "[NaNs]", '{"a": NaN', '["NaN', "[Infinity]]", "nan", "{NaN: 1}", ""])(
    "refuses %s",
    async (broken) => {
      await expect(read(broken)).rejects.toMatchObject({ constructor: FileError, file });
    },
  );

  it("reads a string of many escapes beside a NaN", async () => {
    const long = "\\n".repeat(10_000_000);
    expect(await read(`[NaN, "${long}"]`)).toEqual([null, "\n".repeat(10_000_000)]);
  });
});
