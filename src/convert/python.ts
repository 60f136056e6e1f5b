/** Python literals. */

export const text = (s: string): string => JSON.stringify(s);

/** Python literal of a JSON value. */
export function python(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") {
    return `{${Object.entries(value)
      .map(([k, v]) => `${text(k)}: ${python(v)}`)
      .join(", ")}}`;
  }
  return typeof value === "string" ? text(value) : String(value);
}
