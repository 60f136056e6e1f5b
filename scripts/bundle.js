/**
 * Joins the compiled program, dist/cli and all that it imports from dist/, into few files in dist/program. Node would take longer to load its
 * hundreds of modules than a short command takes to run. The library and the workers stay as they are compiled. Needs rolldown.
 */
import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const PROGRAM = "dist/program";

/** Modules find files of the package, and workers, by their own address: they keep the one that they were compiled to. */
const ownAddress = {
  name: "own-address",
  transform(code, id) {
    if (!code.includes("import.meta.url")) return null;
    const file = relative(`${root}${PROGRAM}`, id).split(sep).join("/");
    return code.replaceAll("import.meta.url", `new URL(${JSON.stringify(file)}, import.meta.url).href`);
  },
};

const { dependencies, peerDependencies, optionalDependencies } = JSON.parse(
  readFileSync(join(root, "package.json"), "utf8"),
);
const packages = Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies });

/** Packages stay where npm installs them; another one would be missing there. */
function isPackage(id) {
  if (/^[./]/.test(id) || id.startsWith(root)) return false;
  if (!isBuiltin(id) && !packages.some((name) => id === name || id.startsWith(`${name}/`))) {
    throw new Error(`dist/program would import ${id}, which is no dependency in package.json`);
  }
  return true;
}

await build({
  cwd: root,
  input: "dist/cli/main.js",
  platform: "node",
  external: isPackage,
  plugins: [ownAddress],
  output: { dir: PROGRAM, cleanDir: true, chunkFileNames: "[name]-[hash].js" },
});
