/**
 * Joins the compiled program, dist/cli and all that it imports from dist/, into few files in dist/program. Node would take longer to load its
 * hundreds of modules than a short command takes to run. The library and the workers stay as they are compiled. Needs rolldown.
 */
import { relative, sep } from "node:path";
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

await build({
  cwd: root,
  input: "dist/cli/main.js",
  platform: "node",
  // Packages stay where npm installs them.
  external: (id) => !/^[./]/.test(id) && !id.startsWith(root),
  plugins: [ownAddress],
  output: { dir: PROGRAM, cleanDir: true, chunkFileNames: "[name]-[hash].js" },
});
