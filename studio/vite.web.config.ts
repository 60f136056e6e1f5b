/**
 * Builds the engine for pages into dist/web, a folder that any host serves: the library as one module (variegate.js), ONNX Runtime, and the
 * files of the embedded pairs.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { defaultClientConditions, defineConfig, type Plugin } from "vite";
import { EMBEDDED_FILES } from "../src/browser/embedded.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const read = (path: string) => readFileSync(here(path));

const embedded = new Map(EMBEDDED_FILES.map((file) => [file, read(`../embedded/${file}`)]));
const EMBEDDED = "embedded/";
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
    emit("bpe_simple_vocab_16e6.txt.gz", read("../assets/clip/bpe_simple_vocab_16e6.txt.gz"));
  },
};

export default defineConfig({
  root: here("."),
  base: "./",
  publicDir: false,
  plugins: [files],
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions] },
  worker: { format: "es" },
  build: {
    outDir: here("../dist/web"),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    rolldownOptions: {
      input: { variegate: here("../src/browser/index.ts") },
      preserveEntrySignatures: "strict",
      output: {
        // Errors have the names of their classes.
        keepNames: true,
        entryFileNames: ({ name }) => (name === "variegate" ? "[name].js" : "assets/[name]-[hash].js"),
      },
    },
  },
});
