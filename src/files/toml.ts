/** Values of a TOML file with the tables that they stand in. */
import { parse, TomlError, type TomlTable, type TomlValue } from "smol-toml";
import { FileError } from "../errors.js";

/** A key with the tables that it stands in. Tables of an array of tables have the same path. */
export interface TomlEntry {
  readonly path: readonly string[];
  readonly value: Exclude<TomlValue, TomlTable>;
}

/** Keys of a TOML file in order. @throws FileError naming the line that is no TOML */
export function tomlEntries(file: string, text: string): TomlEntry[] {
  try {
    return entriesOf(parse(text.replace(/^\ufeff/, "")), []);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [why = ""] = error.message.split("\n");
    throw new FileError(file, `line ${error.line}: ${why.replace(/^Invalid TOML document: /, "")}`);
  }
}

const isTable = (value: TomlValue): value is TomlTable =>
  typeof value === "object" && !Array.isArray(value) && !(value instanceof Date);

const entriesOf = (table: TomlTable, above: readonly string[]): TomlEntry[] =>
  Object.entries(table).flatMap(([key, value]) => {
    const path = [...above, key];
    if (isTable(value)) return entriesOf(value, path);
    if (Array.isArray(value) && value.length > 0 && value.every(isTable)) {
      return value.flatMap((one) => entriesOf(one, path));
    }
    return [{ path, value }];
  });
