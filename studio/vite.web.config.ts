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

/**
 * Modules that nothing in a page needs: JSON schemas of requests, why claims of experiments do not hold on the embedded pairs, and matrices that
 * stay packed, which are in local files only.
 */
const UNUSED =
  /\/zod\/v4\/core\/(json-schema-processors|to-json-schema)\.js$|\/src\/(catalogue\/reasons|networks\/packing)\.ts$/;

/** Replaces their exports by functions that give an empty list; nothing is packed. */
const withoutUnused: Plugin = {
  name: "without-unused",
  load(id) {
    if (!UNUSED.test(id)) return null;
    const names = [...readFileSync(id, "utf8").matchAll(/^export (?:const|function) (\w+)/gm)].map(([, name]) => name);
    const empty = (name: string | undefined) =>
      name === "REASONS" ? "[]" : /pack/.test(name ?? "") ? "() => {}" : "() => []";
    return names.map((name) => `export const ${name} = ${empty(name)};`).join("\n");
  },
};

const TOKENIZERS = /\/@huggingface\/tokenizers\/dist\//;
const HELP = /\/src\/(sampling\/options|generate\/request)\.ts$/;
const COMFY = /\/src\/families\/(chroma|flux1|flux2|qwen-image|sd3|zimage)\.ts$/;
const ZOD_SCHEMAS = /\/zod\/v4\/classic\/schemas\.js$/;
/** The only types that this engine's tokenizers have (src/text): byte-level BPE, which is never decoded. */
const TOKENIZER_TYPES = ["NFC", "Lowercase", "Replace", "Sequence", "Split", "ByteLevel", "BPE"];

/** Parts of libraries that a bundler keeps because they are found by name, and that nothing in the engine names. */
const CUTS: readonly (readonly [file: RegExp, part: RegExp, by: string | ((part: string, name: string) => string)])[] =
  [
    [TOKENIZERS, /^ +case "(\w+)":\n +return new .*\n/gm, (part, type) => (TOKENIZER_TYPES.includes(type) ? part : "")],
    [TOKENIZERS, /^(function create_(?:post_processor|decoder)\(.*)\n[\s\S]*?^\}/gm, "$1 return null; }"],
    [TOKENIZERS, /^(function create_tokenizer_model\((\w+).*)\n[\s\S]*?^\}/m, "$1 return new BPE_default($2); }"],
    // Translates regular expressions of Oniguruma. The engine's are the same in JavaScript.
    [
      TOKENIZERS,
      /rewrite_oniguruma_to_js\(\s*normalize_bloom_split_char_class\(pattern\.Regex\)\s*\)/,
      "pattern.Regex",
    ],
    // Help texts of options.
    [HELP, /\babout:\s*(?:"(?:[^"\\\n]|\\.)*"|`[^`]*`)/g, 'about: ""'],
    // How other programs run a family.
    [COMFY, /^\s+comfy: \{[^{}]*\},\n/gm, ""],
    // Methods of strings for addresses, identifiers and dates.
    [ZOD_SCHEMAS, /^ +\w+\(params\) \{\n +return this\.check\((core\._\w+\(Zod\w+|iso\.\w+\()[\s\S]*?\n +\},\n/gm, ""],
  ];

const withoutParts: Plugin = {
  name: "without-parts",
  transform(code, id) {
    const cuts = CUTS.filter(([file]) => file.test(id));
    if (cuts.length === 0) return null;
    const rest = cuts.reduce((left, [, part, by]) => {
      // A newer release of the library has other code.
      if (left.search(part) < 0) this.error(`${id} has nothing that matches ${part}`);
      return typeof by === "string" ? left.replace(part, by) : left.replace(part, by);
    }, code);
    return { code: rest, map: null };
  },
};

/** Modules of the engine that do something when they are loaded; the others are left out where nothing of them is used. */
const ACTING = /\/src\/(browser\/no-eval|runtime\/web\/worker)\.ts$/;
const SOURCE = here("../src/");

/** Rooms that every run of the page needs, but for what is loaded when it is asked for. In one chunk they are compressed together. */
const ENGINE = /\/src\/(adapters|assembly|decode|families|generate|graph|models|networks|sampling|text)\//;
const NAMES_ON_DEMAND = /\/families\/names\/(t5|language-models)\.ts$/;
const ON_DEMAND =
  /\/(optimise-noise|image-gradients|pullback|gradients|gradient|vjp|vjp-windows|recompute|decompose|without-rotary|rewrite|transformer-denoisers?|text-transformers|transformer-layers|flux[12]|chroma|sd3|z-image|qwen-image|sana|gemma2?|linear-attention|autoencoder-dc|autoencoder-qwen-image|streams|patches|positions|rotary|language-model|t5|attention-bias|chat-encoder|qwen-tokenizer|sentence-piece)(-\w+)?\.ts$/;

const { version } = JSON.parse(read("../package.json").toString("utf8"));

export default defineConfig({
  root: here("web"),
  base: "./",
  publicDir: false,
  plugins: [svelte({ configFile: false }), withoutUnused, withoutParts, files],
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
      treeshake: { moduleSideEffects: (id) => !id.startsWith(SOURCE) || ACTING.test(id) },
      output: {
        // The setting that keeps zod from eval is made before any chunk makes a schema.
        codeSplitting: {
          groups: [
            { name: "zod", test: /node_modules\/zod\/|no-eval/ },
            {
              name: "engine",
              test: (id) =>
                ENGINE.test(id) && !NAMES_ON_DEMAND.test(id) && !(ON_DEMAND.test(id) && !id.includes("/families/")),
            },
          ],
        },
        entryFileNames: ({ name }) => (name === "variegate" ? "[name].js" : "assets/[name]-[hash].js"),
      },
    },
  },
});
