/** Comma-separated values as RFC 4180 has them; read by d3-dsv, which does not refuse broken quotes. */
import { csvParseRows } from "d3-dsv";
import { FileError } from "../errors.js";

/** A field and what ends it: in quotes, which are doubled inside, or without a quote at its beginning. */
const FIELD = /(?:"[^"]*(?:""[^"]*)*"|(?!")[^,\r\n]*)(?:,|\r?\n|\r|$)/y;

/** Rows of a CSV file's text, blank lines left out. @throws FileError with the line of a quoted field that does not end as it must */
export function csvRows(file: string, text: string): string[][] {
  const content = text.replace(/^\ufeff/, "");
  const broken = brokenField(content);
  if (broken !== null) {
    const line = content.slice(0, broken).split(/\r\n|\r|\n/).length;
    throw new FileError(file, `line ${line}: a field in quotes is not closed, or text follows its closing quote`);
  }
  return csvParseRows(content).filter((row) => row.length > 1 || row[0] !== "");
}

/** Where the first field begins that is neither plain nor quoted, or null where all are one of these. */
function brokenField(text: string): number | null {
  for (let at = 0; at < text.length; at = FIELD.lastIndex) {
    FIELD.lastIndex = at;
    if (!FIELD.test(text)) return at;
  }
  return null;
}
