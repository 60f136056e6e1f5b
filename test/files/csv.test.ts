import { csvFormatRows } from "d3-dsv";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FileError } from "../../src/errors.js";
import { csvRows } from "../../src/files/index.js";

const read = (text: string) => csvRows("list.csv", text);

describe("csvRows", () => {
  it("reads quotes, commas and line ends", () => {
    expect(read('a,"b, ""c""\r\nd",e\r\n\r\nf,,5" disc\n')).toEqual([
      ["a", 'b, "c"\r\nd', "e"],
      ["f", "", '5" disc'],
    ]);
    expect(read('\ufeff"prompt",seed\ra,1')).toEqual([
      ["prompt", "seed"],
      ["a", "1"],
    ]);
    expect(read("")).toEqual([]);
  });

  const cell = fc.string({ unit: fc.constantFrom('"', ",", "\n", "\r", "a", "é", " ") });
  const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }));

  it("reads back every table that d3-dsv writes", () => {
    fc.assert(
      fc.property(table, (rows) => {
        expect(read(csvFormatRows(rows))).toEqual(rows);
      }),
    );
  });

  it("refuses a quote that is not closed, with file and line, instead of reading on", () => {
    fc.assert(
      fc.property(table, fc.array(fc.constantFrom("x", ",", "\n", '""')), (rows, rest) => {
        const good = rows.length > 0 ? `${csvFormatRows(rows)}\n` : "";
        const line = good.split(/\r\n|\r|\n/).length;
        const broken = () => read(`${good}"${rest.join("")}`);
        expect(broken).toThrow(FileError);
        expect(broken).toThrow(`list.csv: line ${line}: `);
      }),
    );
  });

  it.each(['a,"b"c\nd,e', 'a\n"b" ,c', '"', 'a,"b""'])("refuses %j", (text) => {
    expect(() => read(text)).toThrow(FileError);
  });
});
