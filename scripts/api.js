/**
 * Writes docs/api/README.md, the reference of the public API, from the types and docstrings of src/index.ts. Fields of requests take their
 * description from the help of their option. Needs a build, and TypeScript.
 *
 *     node scripts/api.js            write the page
 *     node scripts/api.js --check    exit with 1 if it is out of date
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const path = (file) => fileURLToPath(new URL(`../${file}`, import.meta.url));
const PAGE = path("docs/api/README.md");
const INDEX = path("dist/index.d.ts");

/** Headings of the page, and the names under each, in this order. A name of the index that is missing here is an error. */
const SECTIONS = {
  "Open a pair": ["openPair", "OpenedPair", "PairReference", "OpenOptions", "readPairs", "PAIRS", "PairRow"],
  "Generate images": ["ImageRequest", "GeneratedImage", "savePng", "RgbImage"],
  "Follow a run":
    "generate GenerateRequest requestSchema GenerateEvent StepEvent SampleKey eventJson requestForMode".split(" "),
  Plans:
    "planFor openPlanSource describePlan Plan Row Mode NoiseLevel diffusersScript comfyWorkflow ComfyWorkflow".split(
      " ",
    ),
  Measure:
    "diversity Diversity DiverseImage openEvaluator evaluate summarise keptDiversity measure MeasureRequest Measurement".split(
      " ",
    ),
  "Look inside": "openPreview Preview PreviewOptions decodeLatents FloatTensor trace TraceRequest Trace".split(" "),
  "Adapters and sliders": ["slide", "SlideRequest", "Slide", "extractAdapter", "mergeAdapters"],
  Experiments: ["parseDefinition", "Definition", "runExperiments"],
  "Models and the machine": ["checkReference", "CheckReport", "examine"],
  Errors:
    "VariegateError RequestError FileError UnsupportedConfigError WeightMissingError WeightShapeError NonFiniteError MachineError".split(
      " ",
    ),
};

const { requestFields } = await import("../dist/generate/index.js");
const { modelFields, machineFields } = await import("../dist/open/index.js");
const { slideFields } = await import("../dist/control/index.js");
const { traceFields } = await import("../dist/trajectory/index.js");
const { formsOf } = await import("../dist/schema/index.js");

/** Description of a field of a request, by name. */
const ABOUT = new Map(
  [slideFields, traceFields, machineFields, modelFields, requestFields].flatMap((fields) =>
    Object.entries(fields).map(([name, field]) => [name, formsOf(field)[0]?.about ?? ""]),
  ),
);

const program = ts.createProgram([INDEX], {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ["lib.es2023.d.ts"],
  types: ["node"],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
});
const checker = program.getTypeChecker();
const FLAGS = ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope | ts.TypeFormatFlags.NoTruncation;
/** Longer types are left to the editor. */
const LONGEST = 160;

const code = (text) => `\`${text}\``;
const oneLine = (text) => text.replace(/import\("[^"]*"\)\./g, "").replace(/\s+/g, " ");
const shortened = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST).trimEnd()} …` : text);
const cell = (text) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const docsOf = (symbol) => ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim();
/** Alternatives in alphabetical order: the compiler orders them by what it happened to see first. `undefined` and `null` stay last. */
const ordered = (text) =>
  text.replace(/(?:"[^"]*"|[\w.]+)(?: \| (?:"[^"]*"|[\w.]+))+(?![\w.<[(])/g, (union) =>
    union.split(" | ").sort(byPlace).join(" | "),
  );
const isNothing = (text) => /^(null|undefined)$/.test(text);
const byPlace = (a, b) => Number(isNothing(a)) - Number(isNothing(b)) || (a < b ? -1 : 1);
const typeText = (type, flags = FLAGS) => {
  const text = ordered(oneLine(checker.typeToString(type, undefined, flags)));
  // The fields of a schema stand in the tables of its types.
  return text.startsWith("ZodObject<") ? "ZodObject" : text;
};

/** Parameters, errors and example of a docstring. */
function tagsOf(symbol) {
  const lines = symbol.getJsDocTags(checker).map(({ name, text }) => {
    const words = ts.displayPartsToString(text).trim();
    if (name === "example") return ["```ts", words, "```"].join("\n");
    if (name === "throws") return `Throws: ${oneLine(words)}.`;
    const [, parameter = "", about = words] = /^(\S+)\s+([\s\S]*)$/.exec(words) ?? [];
    return name === "param" ? `${code(parameter)}: ${oneLine(about)}.` : `Returns ${oneLine(words)}.`;
  });
  return lines.map((line) => line.replace(/\.\.$/, "."));
}

/** Table of the properties and methods of a type. */
function tableOf(type) {
  const rows = type.getProperties().flatMap((property) => {
    const name = property.getName().startsWith("__@asyncDispose") ? "[Symbol.asyncDispose]" : property.getName();
    const [declaration] = property.declarations ?? [];
    if (name.startsWith("#") || !declaration || declaration.getSourceFile().fileName.includes("/typescript/lib/"))
      return [];
    const optional = (property.flags & ts.SymbolFlags.Optional) !== 0;
    const text = shortened(typeText(checker.getTypeOfSymbol(property)).replace(optional ? / \| undefined$/ : /^$/, ""));
    const about = docsOf(property) || (optional ? (ABOUT.get(name) ?? "") : "");
    return [`| ${code(name + (optional ? "?" : ""))} | ${code(cell(text))} | ${cell(about)} |`];
  });
  return rows.length === 0 ? [] : [["| field | type | |", "|---|---|---|", ...rows].join("\n")];
}

/** Shape of a type: a table of its fields, its alternatives, or its text. */
function shapeOf(symbol) {
  const type = checker.getDeclaredTypeOfSymbol(symbol);
  if (type.isUnion() && type.types.every((t) => t.getProperty("type"))) {
    return [["| `type` | fields |", "|---|---|", ...type.types.map(alternativeOf)].join("\n")];
  }
  if (type.isUnion() || type.getCallSignatures().length > 0) {
    return [
      ["```ts", `type ${symbol.getName()} = ${typeText(type, FLAGS | ts.TypeFormatFlags.InTypeAlias)};`, "```"].join(
        "\n",
      ),
    ];
  }
  return tableOf(type);
}

function alternativeOf(type) {
  const kind = typeText(checker.getTypeOfSymbol(type.getProperty("type")));
  const fields = type.getProperties().filter((p) => p.getName() !== "type");
  const named = fields.map((p) => code(`${p.getName()}: ${cell(shortened(typeText(checker.getTypeOfSymbol(p))))}`));
  return `| ${code(kind)} | ${named.join("<br>")} |`;
}

/** The entry of one name. */
function entryOf(exported) {
  const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
  const name = exported.getName();
  const about = docsOf(symbol);
  const declared = symbol.declarations?.[0];
  const value = symbol.valueDeclaration && checker.getTypeOfSymbol(symbol);
  const [signature] = value?.getCallSignatures() ?? [];
  if (symbol.flags & ts.SymbolFlags.Class) {
    const heritage = declared?.heritageClauses?.[0]?.types[0]?.getText() ?? "Error";
    return [
      `### ${name}`,
      `Class, extends ${code(heritage)}.`,
      about,
      ...tableOf(checker.getDeclaredTypeOfSymbol(symbol)),
    ];
  }
  if (signature) {
    // As declared, with the names of types.
    const text = symbol.valueDeclaration.getText().replace(/^export declare function\*? \w+|;$/g, "");
    return [`### ${name}()`, ["```ts", `${name}${text}`, "```"].join("\n"), about, ...tagsOf(symbol)];
  }
  if (value) return [`### ${name}`, code(shortened(typeText(value))), about];
  return [`### ${name}`, about, ...shapeOf(symbol), ...tagsOf(symbol)];
}

const index = program.getSourceFile(INDEX);
const exports = new Map(
  checker.getExportsOfModule(checker.getSymbolAtLocation(index)).map((symbol) => [symbol.getName(), symbol]),
);
const listed = Object.values(SECTIONS).flat();
const wrong = [
  ...listed.filter((name) => !exports.has(name)),
  ...[...exports.keys()].filter((n) => !listed.includes(n)),
];
if (wrong.length > 0) throw new Error(`scripts/api.js and src/index.ts differ in: ${wrong.join(", ")}`);

const { exports: paths } = JSON.parse(readFileSync(path("package.json"), "utf8"));
const rooms = JSON.parse(readFileSync(path("rooms.json"), "utf8"));
const page = `${[
  "# API",
  "Made from the docstrings by `npm run docs`. Names of `variegate`; further ones are under [sub-paths](#sub-paths). Examples: [examples](../../examples/README.md).",
  Object.keys(SECTIONS)
    .map((title) => `[${title}](#${title.toLowerCase().replaceAll(" ", "-")})`)
    .join(" · "),
  ...Object.entries(SECTIONS).flatMap(([title, names]) => [
    `## ${title}`,
    ...names.flatMap((n) => entryOf(exports.get(n))),
  ]),
  "## Sub-paths",
  "Lower-level names, one sub-path for each room of the [engine](../engine.md#rooms). They are typed and documented in the editor, and may change between minor versions.",
  [
    "| import | holds |",
    "|---|---|",
    ...Object.keys(paths).flatMap((sub) => {
      const room = rooms.find((r) => r.room === sub.split("/")[1]);
      return room
        ? [
            `| ${code(`variegate/${sub.slice(2)}`)} | ${room.holds}${sub.endsWith("/node") ? " (what needs Node)" : ""} |`,
          ]
        : [];
    }),
  ].join("\n"),
]
  .filter((part) => part !== "")
  .join("\n\n")}\n`;

if (process.argv.includes("--check")) {
  let before = "";
  try {
    before = readFileSync(PAGE, "utf8");
  } catch {
    // Missing, so out of date.
  }
  if (before !== page) {
    process.stderr.write("docs/api/README.md is out of date with the docstrings; run npm run docs\n");
    process.exitCode = 1;
  }
} else {
  mkdirSync(dirname(PAGE), { recursive: true });
  writeFileSync(PAGE, page);
}
