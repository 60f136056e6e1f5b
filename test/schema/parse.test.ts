import { describe, expect, it } from "vitest";
import { z } from "zod";
import { RequestError } from "../../src/errors.js";
import { expectation, option, parseRequest } from "../../src/schema/index.js";

const schema = z.strictObject({
  steps: option(z.int().min(1), { flag: "--steps <n>", about: "steps" }),
  seeds: option(z.array(z.int().min(0)), { flag: "--seeds <list>", about: "seeds" }),
  tile: option(z.union([z.int().min(4), z.literal("off")]), { flag: "--tile <n>", about: "tile" }),
  size: option(z.strictObject({ width: z.int(), height: z.int() }), { flag: "--size <WxH>", about: "size" }),
});

describe("a request", () => {
  it("is what its schema says, with nothing filled in", () => {
    expect(parseRequest(schema, { steps: 4, tile: "off" })).toEqual({ steps: 4, tile: "off" });
    expect(parseRequest(schema, {})).toEqual({});
  });

  it.each([
    ["a value out of range", { steps: 0 }, "steps"],
    ["an item of a list", { seeds: [1, 2, -3] }, "seeds.2"],
    ["a field inside a field", { size: { width: 64, height: 1.5 } }, "size.height"],
    ["a union that no alternative takes", { tile: "on" }, "tile"],
    ["a field that is none", { stepz: 4 }, "stepz"],
    ["a field inside that is none", { size: { width: 1, height: 2, depth: 3 } }, "depth"],
  ])("is refused for %s, which the error names", (_, value, field) => {
    const refuse = () => parseRequest(schema, value, "body.json");
    expect(refuse).toThrow(RequestError);
    expect(refuse).toThrow(/^body\.json: /);
    try {
      refuse();
    } catch (error) {
      expect(error).toMatchObject({ field });
    }
  });

  it.each([
    [{ steps: "4" }, 'steps is "4"; expected a number'],
    [{ steps: 0 }, "steps is 0; expected at least 1"],
    [{ seeds: 1 }, "seeds is 1; expected a list"],
    [{ size: "64x64" }, 'size is "64x64"; expected an object'],
    [{ tile: "on" }, 'tile is "on"; expected a number, or off'],
    [[], "body.json is []; expected an object"],
  ])("refuses %j in plain words", (value, message) => {
    expect(() => parseRequest(schema, value, "body.json")).toThrow(message);
  });

  it("says in words which values a field allows", () => {
    expect(expectation(z.int().min(1))).toBe("an integer, at least 1");
    expect(expectation(z.number().min(0).max(1))).toBe("a number from 0 to 1");
    expect(expectation(z.enum(["a", "b"]))).toBe("one of a, b");
    expect(expectation(z.number().positive())).toBe("a number above 0");
    expect(expectation(z.string())).toBe("a string");
  });
});
