/** A request as a command line, and as code of the library. The flags are those of the fields. */
import { RequestError } from "../errors.js";
import { type GenerateRequest, requestFields } from "../generate/index.js";
import { machineFields, modelFields, type OpenOptions, type PairReference } from "../open/index.js";
import { type Fields, formsOf, type OptionForm } from "../schema/index.js";

type Value = unknown;
/** A flag of a command with its value; a value of true is not written. */
type Word = readonly [flag: string, value: string | true];

const fields: Fields = { ...modelFields, ...machineFields, ...requestFields };
const gigabytes = (bytes: Value) => [["--memory-budget", String(Number(bytes) / 1e9)]] as const;
const list = (flag: string) => (value: Value) =>
  [[flag, Array.isArray(value) ? value.join(",") : String(value)]] as const;

type Adapter = NonNullable<GenerateRequest["adapters"]>[number];
const ADAPTER_FLAGS = { both: "--lora", base: "--lora-base", distilled: "--lora-distilled" } as const;

/** Flags of an adapter. A scale with samples, or with rows and blocks, has no text. @throws RequestError */
function adapterWords({ ref, scale, on = "both", allowUnmatched = false }: Adapter): Word[] {
  const text = scale === undefined ? "" : `:${scaleText(scale)}`;
  return [[ADAPTER_FLAGS[on], `${ref}${text}`], ...(allowUnmatched ? ([["--allow-unmatched", true]] as const) : [])];
}

function scaleText(scale: NonNullable<Adapter["scale"]>): string {
  if (typeof scale !== "object") return String(scale);
  const { whole = 1, rows = [], blocks = {}, samples = [] } = scale;
  const named = Object.entries(blocks);
  const own = samples.length === 0;
  if (own && named.length === 0) {
    return rows.length === 0 ? String(whole) : rows.map((r) => `${r.scale}@${r.from}-${r.to}`).join(",");
  }
  if (own && rows.length === 0 && whole === 1) return named.map(([block, value]) => `${block}=${value}`).join(",");
  throw new RequestError("a command cannot state a scale with samples, or with rows and blocks; copy library code", {
    field: "adapters",
  });
}

/** A diversity method with its settings: "cads:scale=0.1". */
function methodText({ method, ...settings }: { readonly method: string }): string {
  const words = Object.entries(settings).map(([name, value]) => `${name}=${String(value)}`);
  return words.length === 0 ? method : `${method}:${words.join(",")}`;
}

/** Seeds as ranges: "0-7,42". */
export function seedsText(seeds: readonly number[]): string {
  const ranges: [from: number, to: number][] = [];
  for (const seed of seeds) {
    const last = ranges.at(-1);
    if (last && seed === last[1] + 1) last[1] = seed;
    else ranges.push([seed, seed]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(",");
}

const FOLDER_FLAGS = { comfy: "--comfy", a1111: "--a1111" } as const;
type Models = PairReference & OpenOptions;
type Request = GenerateRequest & Models;

/** Flags of the fields whose value is not one text. */
const WRITERS: { readonly [F in keyof Request]?: (value: NonNullable<Request[F]>) => readonly Word[] } = {
  adapters: (adapters) => adapters.flatMap(adapterWords),
  diversity: (methods) => methods.map((method) => ["--diversity", methodText(method)] as const),
  embeddings: (all) =>
    all.map(({ ref, token }) => ["--embedding", token === undefined ? ref : `${ref}=${token}`] as const),
  memoryBudget: gigabytes,
  modelFolders: (folders) => folders.map(({ kind, path }) => [FOLDER_FLAGS[kind], path] as const),
  ratio: ({ base, distilled }) => [["--ratio", `${base}:${distilled}`]],
  seeds: (seeds) => [["--seeds", seedsText(seeds)]],
  size: ({ width, height }) => [["--size", width === height ? `${width}` : `${width}x${height}`]],
  switch: (rows) =>
    typeof rows === "object" && "sigma" in rows
      ? [["--switch", `σ=${rows.sigma}`]]
      : list(typeof rows === "object" ? "--base-rows" : "--switch")(rows),
  textEncoders: (refs) => refs.map((ref) => ["--text-encoder", ref] as const),
  timesteps: list("--timesteps"),
};

const flagOf = ({ flag }: OptionForm): string => /--[\w-]+/.exec(flag)?.[0] ?? flag;

function wordsOf(name: string, value: Value): readonly Word[] {
  const write = (WRITERS as Readonly<Record<string, ((value: Value) => readonly Word[]) | undefined>>)[name];
  if (write) return write(value);
  const field = fields[name];
  const [form] = field ? formsOf(field) : [];
  if (!form) throw new RequestError(`a command cannot state ${name}; copy library code`, { field: name });
  return value === false ? [] : [[flagOf(form), value === true ? true : String(value)]];
}

/** A word of a POSIX shell. */
const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/**
 * The words of a command line after `variegate`. Values that begin with a dash stay with their flag.
 * @throws RequestError for a field that only library code has
 */
export function commandWords(models: Models, { prompts, ...request }: GenerateRequest): string[] {
  const { adapters = [], ...rest } = models;
  const all = { ...rest, ...request, adapters: [...adapters, ...(request.adapters ?? [])] };
  const words = Object.entries(all)
    .filter(([name, value]) => value !== undefined && name in fields)
    .flatMap(([name, value]) => wordsOf(name, value))
    .flatMap(([flag, value]) => (value === true ? [flag] : [`${flag}=${value}`]));
  // Several adapters may ask for the one flag.
  const once = words.filter((word, i) => word !== "--allow-unmatched" || words.indexOf(word) === i);
  return ["generate", ...once, "--", ...prompts];
}

/** Words with their values apart where no value can be taken for a flag, and no end of flags where no prompt begins with a dash. */
function readable(words: readonly string[]): string[] {
  const end = words.indexOf("--");
  const prompts = words.slice(end + 1);
  const flags = words.slice(0, end).flatMap((word) => {
    const [, flag = "", value = ""] = /^(--[\w-]+)=([^-].*)$/s.exec(word) ?? [];
    return flag === "" ? [word] : [flag, value];
  });
  const [command = "", ...options] = flags;
  return prompts.some((prompt) => prompt.startsWith("-"))
    ? [command, ...options, "--", ...prompts]
    : [command, ...prompts, ...options];
}

/**
 * The command that makes the images of a request, for a POSIX shell.
 * @throws RequestError for a field that only library code has
 * @example
 * commandLine({}, { prompts: ["a fox"], seeds: [0, 1, 2] }); // variegate generate 'a fox' --seeds 0-2
 */
export const commandLine = (models: Models, request: GenerateRequest): string =>
  ["variegate", ...readable(commandWords(models, request))].map(quoted).join(" ");

/** Code of the library that makes the images of a request and saves them. */
export function libraryCode(models: Models, request: GenerateRequest): string {
  const named = Object.fromEntries(Object.entries(models).filter(([name]) => name in fields));
  const literal = (value: object) => JSON.stringify(value, null, 2);
  return [
    'import { generate, openPair, savePng } from "variegate";',
    "",
    `const pair = await openPair(${Object.keys(named).length === 0 ? "" : literal(named)});`,
    // Within the call, so that TypeScript reads its words as those of a request.
    `for await (const event of generate(pair, ${literal(request)})) {`,
    '  if (event.type === "image") await savePng(event.image, event.prompt + "-" + event.seed + ".png");',
    "}",
    "await pair.close();",
    "",
  ].join("\n");
}
