/**
 * Builds the page whose engine is in the page into dist/web, a folder that any host serves: the page, the library as one module
 * (variegate.js), ONNX Runtime, and the files of the embedded pairs.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defaultClientConditions, defineConfig, type Plugin } from "vite";
import { EMBEDDED_FILES } from "../src/browser/embedded.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const read = (path: string) => readFileSync(here(path));

const embedded = new Map(EMBEDDED_FILES.map((file) => [file, read(`../embedded/${file}`)]));
// A download is kept by its address: other weights are at another one.
const hash = createHash("sha256");
for (const bytes of embedded.values()) hash.update(bytes);
const EMBEDDED = `embedded-${hash.digest("hex").slice(0, 8)}/`;
const ORT = "ort/";

/** Files beside the bundles. WebAssembly is compressed, because not every host compresses. */
const files: Plugin = {
  name: "files",
  generateBundle() {
    const emit = (fileName: string, source: Uint8Array) => this.emitFile({ type: "asset", fileName, source });
    for (const [file, bytes] of embedded) emit(`${EMBEDDED}${file}`, bytes);
    const ort = createRequire(import.meta.url)
      .resolve("onnxruntime-web/wasm")
      .replace(/[^/\\]*$/, "");
    for (const build of ["ort-wasm-simd-threaded", "ort-wasm-simd-threaded.asyncify"]) {
      emit(`${ORT}${build}.mjs`, readFileSync(`${ort}${build}.mjs`));
      emit(`${ORT}${build}.wasm.gz`, gzipSync(readFileSync(`${ort}${build}.wasm`), { level: 6 }));
    }
    emit("sw.js", read("web/sw.js"));
    emit("icon.svg", read("public/icon.svg"));
    emit("bpe_simple_vocab_16e6.txt.gz", read("../assets/clip/bpe_simple_vocab_16e6.txt.gz"));
  },
};

/** Modules that nothing in a page calls: JSON schemas of requests, and why claims of experiments do not hold on the embedded pairs. */
const UNUSED = /\/zod\/v4\/core\/(json-schema-processors|to-json-schema)\.js$|\/src\/catalogue\/reasons\.ts$/;

/** Replaces their exports by functions that give an empty list. */
const withoutUnused: Plugin = {
  name: "without-unused",
  load(id) {
    if (!UNUSED.test(id)) return null;
    const names = [...readFileSync(id, "utf8").matchAll(/^export (?:const|function) (\w+)/gm)].map(([, name]) => name);
    return names.map((name) => `export const ${name} = ${name === "REASONS" ? "[]" : "() => []"};`).join("\n");
  },
};

const { version } = JSON.parse(read("../package.json").toString("utf8"));

export default defineConfig({
  root: here("web"),
  base: "./",
  publicDir: false,
  plugins: [svelte({ configFile: false }), withoutUnused, files],
  define: {
    __EMBEDDED__: JSON.stringify(EMBEDDED),
    __ORT__: JSON.stringify(ORT),
    __VERSION__: JSON.stringify(version),
  },
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions] },
  worker: { format: "es" },
  build: {
    outDir: here("../dist/web"),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    rolldownOptions: {
      input: { index: here("web/index.html"), variegate: here("../src/browser/index.ts") },
      preserveEntrySignatures: "strict",
      // The list of all named pairs is checked as it is made; a page has the embedded ones.
      treeshake: { moduleSideEffects: (id) => !/\/src\/catalogue\//.test(id) },
      output: {
        // The setting that keeps zod from eval is made before any chunk makes a schema.
        codeSplitting: { groups: [{ name: "zod", test: /node_modules\/zod\/|no-eval/ }] },
        entryFileNames: ({ name }) => (name === "variegate" ? "[name].js" : "assets/[name]-[hash].js"),
      },
    },
  },
});
