/** What a reference stands for: a path, something that ships with the package, or an adapter of the package by a part of its name. */
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { FileError, RequestError } from "../errors.js";

const EMBEDDED = new URL("../../embedded/", import.meta.url);

/** A reference as a path: `embedded:` names the folder that ships with the package. */
export function resolveReference(ref: string): string {
  return ref.startsWith("embedded:") ? fileURLToPath(new URL(ref.slice("embedded:".length), EMBEDDED)) : ref;
}

/** Folders of the package that hold adapters. */
const SHIPPED = ["embedded:sliders", "embedded:adapters"] as const;

/**
 * An adapter's file: a path, an `embedded:` name, or a part of a name that one of the package's adapters alone has.
 * @throws RequestError when several have it; FileError when none has
 */
export function resolveAdapter(ref: string): string {
  const path = resolveReference(ref);
  if (existsSync(path) || ref.startsWith("embedded:") || /[\\/]/.test(ref)) return path;
  const all = SHIPPED.flatMap((folder) => {
    const dir = resolveReference(folder);
    return existsSync(dir) ? readdirSync(dir).map((file) => `${folder}/${file}`) : [];
  });
  const found = all.filter((name) => name.slice(name.lastIndexOf("/") + 1).includes(ref));
  const [only] = found;
  if (found.length > 1) throw new RequestError(`"${ref}" could be ${found.join(" or ")}; name one of them`);
  if (only) return resolveReference(only);
  throw new FileError(
    ref,
    `there is no such file, and no adapter of the package has it in its name (${all.join(", ") || "there are none"})`,
  );
}
