/** JSON text: parsed from elsewhere, and laid out for readers. */

/** The value of a JSON text, or undefined where it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Values that fit a line of this many characters stand on it. */
const LINE = 120;

/** JSON text, indented by two spaces; objects and lists that fit a line stand on one. Ends with a newline. */
export const formatJson = (value: unknown): string => `${laidOut(JSON.parse(JSON.stringify(value)), "")}\n`;

function laidOut(value: unknown, indent: string): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const isList = Array.isArray(value);
  const inner = `${indent}  `;
  const flat = Object.entries(value).map(([key, each]) => `${isList ? "" : `${JSON.stringify(key)}: `}${inLine(each)}`);
  const [open, close] = isList ? ["[", "]"] : ["{", "}"];
  const pad = isList || flat.length === 0 ? "" : " ";
  const line = `${open}${pad}${flat.join(", ")}${pad}${close}`;
  if (indent !== "" && indent.length + line.length <= LINE) return line;
  const lines = Object.entries(value).map(
    ([key, each]) => `${inner}${isList ? "" : `${JSON.stringify(key)}: `}${laidOut(each, inner)}`,
  );
  return lines.length === 0 ? line : `${open}\n${lines.join(",\n")}\n${indent}${close}`;
}

function inLine(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(inLine).join(", ")}]`;
  const parts = Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${inLine(each)}`);
  return parts.length === 0 ? "{}" : `{ ${parts.join(", ")} }`;
}
