import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const IMPORT = /^import \{([^}]*)\} from "(variegate[^"]*)";/gm;

/** Names that a file imports from the package, by module. */
function importsOf(file: string): [module: string, names: string[]][] {
  return [...readFileSync(file, "utf8").matchAll(IMPORT)].map(([, names = "", module = ""]) => {
    return [module, names.split(",").map((name) => name.trim().split(" as ")[0] ?? "")];
  });
}

const programs = ["scripts", "pair"].flatMap((folder) =>
  readdirSync(path.join(root, folder))
    .filter((file) => file.endsWith(".js"))
    .map((file) => path.join(folder, file)),
);

// The long ones run once in a while only, so a name that has moved would show much later.
describe("programs of the repository", () => {
  it.each(programs)("%s imports names that the package has", async (program) => {
    for (const [module, names] of importsOf(path.join(root, program))) {
      const exported: object = await import(module);
      for (const name of names.filter(Boolean)) expect(exported, `${module}: ${name}`).toHaveProperty(name);
    }
  });
});
