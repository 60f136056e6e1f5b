/**
 * Recorded runs: read from a run.json or an image, compared with the models at hand, and given to `generate` again. Records are
 * untrusted: they name models by reference as a user does, and every field is validated.
 */
import { readFile, stat } from "node:fs/promises";
import { z } from "zod";
import { codeOf, FileError, RequestError, reasonOf } from "../errors.js";
import { parseJson, readPngText } from "../files/index.js";
import { type GenerateRequest, requestSchema, type SampleKey } from "../generate/index.js";
import { machineFields, modelFields, type OpenOptions, type PairReference, type SourceFile } from "../open/index.js";
import { type Plan, parsePlan, planJson, scheduleTypeNamed } from "../sampling/index.js";
import { expectedBy } from "../schema/index.js";
import { type Infotext, parseInfotext } from "./infotext.js";
import { type NamedNetwork, networksIn } from "./named-networks.js";

/** A model that a record names without its place. */
export interface NamedModel {
  readonly field: "base" | "decoder";
  /** File name, with or without its ending; null where only a hash is recorded. */
  readonly name: string | null;
  /** First ten digits of the file's SHA-256; null where none is recorded. */
  readonly hash: string | null;
}

/** A recorded run. */
export interface Recorded {
  readonly file: string;
  /** Version of Variegate that recorded it; null for other programs. */
  readonly version: string | null;
  readonly models: PairReference & Pick<OpenOptions, keyof typeof machineFields>;
  /** Models to look up; only A1111's parameters have them. */
  readonly named: readonly NamedModel[];
  /** LoRAs and textual inversions with hashes; only A1111's parameters list them. */
  readonly networks: readonly NamedNetwork[];
  readonly request: GenerateRequest;
  /** The image, of those that the request makes; null for all. */
  readonly image: SampleKey | null;
  /** The whole run of a PNG whose request is that of a batch, and the image among its own; null where it is not recorded. */
  readonly whole: { readonly request: GenerateRequest; readonly image: SampleKey } | null;
  readonly sources: readonly Pick<SourceFile, "role" | "ref" | "file" | "sha256">[];
  readonly plan: Plan | null;
  /** SHA-256 of the pixels of each image. */
  readonly pixels: readonly (SampleKey & { readonly pixels: string })[];
  /** The seeds were chosen from more, in other batches. */
  readonly chosen: boolean;
  /** What the record says that is not read, as sentences. */
  readonly unread: readonly string[];
}

/** Largest run.json and image that are read, in bytes. */
const LARGEST = 256e6;

const sampleSchema = z.object({ prompt: z.int().min(0), seed: z.int().min(0) });
const hash = z.string().regex(/^[0-9a-f]{64}$/, "expected a SHA-256 in hexadecimal");
const recordSchema = z.object({
  versions: z.object({ variegate: z.string() }),
  models: z.object({ ...modelFields, ...machineFields }),
  request: requestSchema,
  sources: z.array(
    z.object({
      role: z.enum(["base", "distilled", "text encoder", "decoder", "adapter", "embedding"]),
      ref: z.string(),
      file: z.string(),
      sha256: hash,
    }),
  ),
  plan: z.unknown(),
  choice: z.unknown().optional(),
  image: sampleSchema.optional(),
  whole: z.object({ request: requestSchema, image: sampleSchema }).optional(),
  pixels: hash.optional(),
  files: z.array(sampleSchema.extend({ pixels: hash.optional() })).optional(),
});

/**
 * Reads how a run was made, from a run.json or a PNG.
 * @throws FileError for another file, a PNG without a record, or a damaged record
 */
export const readRecorded = async (file: string): Promise<Recorded> => readRecord(file, await bytesOf(file));

/** Reads how a run was made, from the content of a run.json or a PNG. @throws as readRecorded */
export async function readRecord(file: string, bytes: Buffer): Promise<Recorded> {
  if (bytes.subarray(1, 4).toString("latin1") !== "PNG") return recordIn(file, bytes.toString("utf8"));
  const text = await readPngText(bytes);
  const [own, a1111] = [text.get("variegate"), text.get("parameters")];
  if (own !== undefined) return recordIn(file, own);
  if (a1111 !== undefined) return fromInfotext(file, parseInfotext(a1111));
  throw new FileError(
    file,
    "has no text chunk variegate or parameters: it was made by another program, or the text was removed, as many sites do; give the run.json",
  );
}

async function bytesOf(file: string): Promise<Buffer> {
  try {
    const { size } = await stat(file);
    if (size <= LARGEST) return await readFile(file);
    throw new FileError(file, `has ${size} bytes; a run.json or a PNG has at most ${LARGEST}`);
  } catch (error) {
    if (error instanceof FileError) throw error;
    const why = codeOf(error) === "ENOENT" ? "there is no such file" : `cannot be read: ${reasonOf(error)}`;
    throw new FileError(file, why, { cause: error });
  }
}

function recordIn(file: string, text: string): Recorded {
  const json = parseJson(text);
  if (typeof json !== "object" || json === null) {
    throw new FileError(file, "is neither a run.json nor a PNG, or its record is cut short");
  }
  if ("requests" in json) {
    throw new FileError(file, "is the record of several modes; give one of the run's images, such as hybrid/0.png");
  }
  if ("seed" in json && !("models" in json)) {
    throw new FileError(file, "was made by an earlier version, which did not record the models; give its run.json");
  }
  if (!("request" in json))
    throw new FileError(file, "is JSON, but no record of a run; expected a run.json of `variegate generate`");
  const read = recordSchema.safeParse(json);
  if (!read.success) {
    const issue = read.error.issues[0];
    throw new FileError(file, `its record is damaged: ${issue?.path.join(".") || "the whole"}: ${expectedBy(issue)}`);
  }
  const { versions, models, request, sources, plan, image, whole, pixels, files = [], choice } = read.data;
  for (const ref of [models.base, models.distilled, models.decoder, models.pairs, ...sources.map((s) => s.ref)]) {
    if (ref !== undefined && /^(\\\\|\/\/)/.test(ref)) throw new FileError(file, `names a network share: ${ref}`);
  }
  return {
    file,
    version: versions.variegate,
    models,
    named: [],
    networks: [],
    request,
    image: image ?? null,
    whole: whole ?? null,
    sources,
    plan: parsePlan(plan, file),
    chosen: choice !== undefined,
    pixels:
      image && pixels !== undefined
        ? [{ ...image, pixels }]
        : files.flatMap((f) => (f.pixels === undefined ? [] : [{ prompt: f.prompt, seed: f.seed, pixels: f.pixels }])),
    unread: [],
  };
}

/** A1111's keys of lists of names with hashes. */
const HASHES_OF = { adapter: "Lora hashes", embedding: "TI hashes" } as const;

/** Settings of A1111 that a request has. Numbers that are not valid are left out, and named. */
function fromInfotext(file: string, { prompt, negative, settings }: Infotext): Recorded {
  const rest = new Map(settings);
  const take = (key: string): string | undefined => {
    const value = rest.get(key);
    rest.delete(key);
    return value;
  };
  const number = (key: string, change = 0) => {
    const value = take(key);
    return value === undefined ? undefined : Number(value) + change;
  };
  const [, width, height] = /^(\d+)x(\d+)$/.exec(take("Size") ?? "") ?? [];
  const seed = number("Seed");
  const type = scheduleTypeNamed(rest.get("Schedule type") ?? "");
  if (type !== undefined) rest.delete("Schedule type");
  const asked = {
    prompts: [prompt],
    negative: negative === "" ? undefined : negative,
    promptSyntax: "a1111",
    steps: number("Steps"),
    scheduler: take("Sampler"),
    sigmas: type,
    guidance: number("CFG scale"),
    seeds: seed === undefined ? undefined : [seed],
    clipSkip: number("Clip skip", -1),
    size: width === undefined ? undefined : { width: Number(width), height: Number(height) },
  };
  const given = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
  const read = requestSchema.safeParse(given);
  if (!read.success) {
    const issue = read.error.issues[0];
    throw new FileError(file, `its A1111 parameters cannot be used: ${issue?.path.join(".")}: ${expectedBy(issue)}`);
  }
  const named = [namedBy("base", take("Model"), take("Model hash")), namedBy("decoder", take("VAE"), take("VAE hash"))];
  const networks = (["adapter", "embedding"] as const).flatMap((role) => {
    const key = HASHES_OF[role];
    const listed = networksIn(role, rest.get(key));
    if (listed !== null) rest.delete(key);
    return listed ?? [];
  });
  const unread = [...rest].map(([key, value]) => `${key}: ${value}`);
  return {
    file,
    version: null,
    models: {},
    named: named.flat(),
    networks,
    request: read.data,
    image: null,
    whole: null,
    sources: [],
    plan: null,
    pixels: [],
    chosen: false,
    unread: [
      ...(unread.length > 0 ? [`not read from its A1111 parameters: ${unread.join(", ")}`] : []),
      "A1111 draws its noise on the GPU by default, so that the same seed gives another image here",
    ],
  };
}

/** A model by name and hash, in a list of its own. A1111 writes 10 digits of the SHA-256; 8 digits are of another hash, from 2022. */
function namedBy(field: NamedModel["field"], name: string | undefined, hash: string | undefined): NamedModel[] {
  const isNone = name === undefined || /^(None|Automatic)$/i.test(name);
  const known = hash !== undefined && /^[0-9a-f]{10}$/i.test(hash) ? hash.toLowerCase() : null;
  return isNone && known === null ? [] : [{ field, name: isNone ? null : name, hash: known }];
}

/** A recorded run with the options that were given beside it. */
export interface Repeat {
  readonly models: Recorded["models"];
  readonly request: GenerateRequest;
  /** Changes to the record, as sentences. With any, images are not expected to be equal. */
  readonly changes: readonly string[];
}

/** Fields that a given field replaces, beside its own. */
const REPLACES: Readonly<Record<string, readonly string[]>> = {
  steps: ["timesteps"],
  timesteps: ["steps"],
  pair: ["base", "distilled"],
  ratio: ["switch", "baseSteps"],
  switch: ["ratio"],
  "switch auto": ["ratio", "anchor", "handoff", "baseScheduler", "baseSteps", "baseSpacing"],
  prompts: ["samples", "batch"],
  seeds: ["samples", "batch"],
  choose: ["samples", "batch"],
};

/**
 * Given options override those of the record.
 * @throws RequestError for A1111's parameters whose model was not looked up, and without another one
 */
export function overridden(recorded: Recorded, models: Recorded["models"], request: GenerateRequest): Repeat {
  const { prompts, ...others } = request;
  const asked = prompts.length > 0 ? request : others;
  const changes: string[] = [];
  const merged = <T extends object>(old: T, given: object): T => {
    const kept = new Map<string, unknown>(Object.entries(old));
    for (const [key, value] of Object.entries(given)) {
      const before = kept.get(key);
      // Folders are where models are looked for: which were found is compared by their hashes.
      if (key !== "modelFolders" && JSON.stringify(before) !== JSON.stringify(value)) {
        changes.push(`${key} is ${JSON.stringify(value)}, recorded is ${JSON.stringify(before) ?? "none"}`);
        for (const other of REPLACES[value === "auto" ? `${key} auto` : key] ?? []) kept.delete(other);
      }
      kept.set(key, value);
    }
    return Object.fromEntries(kept) as T;
  };
  const hasModel = [recorded.models.base, models.base, models.pair].some((ref) => ref !== undefined);
  if (recorded.version === null && !hasModel) {
    const { name, hash } = recorded.named.find(({ field }) => field === "base") ?? {};
    throw new RequestError(
      `${recorded.file} names its model ${name ?? hash ?? ""} without its place; give the folder that has it with --a1111 or --comfy, or name one with --base or --pair`,
    );
  }
  return { models: merged(recorded.models, models), request: merged(recorded.request, asked), changes };
}

/**
 * Differences between a record and the models at hand, as sentences; empty where the run can be made again.
 * @param changed the options given beside the record changed it: sources that it no longer names and the plan are not compared
 */
export function differences(
  recorded: Recorded,
  sources: readonly SourceFile[],
  plan: Plan,
  changed: boolean,
): string[] {
  const found: string[] = [];
  const keyOf = ({ role, ref, file }: Recorded["sources"][number]) => JSON.stringify([role, ref, file]);
  for (const expected of recorded.sources) {
    const actual = sources.find((source) => keyOf(source) === keyOf(expected));
    if (actual?.sha256 === expected.sha256 || (!actual && changed)) continue;
    const name = expected.ref.endsWith(expected.file) ? expected.ref : `${expected.file} of ${expected.ref}`;
    const recordedHash = expected.sha256.slice(0, 10);
    found.push(
      actual
        ? `${expected.role} ${name}: SHA-256 is ${actual.sha256.slice(0, 10)}, recorded is ${recordedHash}`
        : `${expected.role} ${name}: recorded with SHA-256 ${recordedHash}, not among the models here`,
    );
  }
  if (recorded.plan && !changed) {
    const [now, then] = [planJson(plan), planJson(recorded.plan)].map((p) =>
      p.rows.map((row) => JSON.stringify(sorted(row))),
    );
    const row = Math.max(now?.length ?? 0, then?.length ?? 0);
    const first = Array.from({ length: row }, (_, i) => i).find((i) => now?.[i] !== then?.[i]);
    if (first !== undefined)
      found.push(`the plan differs from row ${first} on: a scheduler config or the pair changed`);
  }
  return found;
}

const sorted = (value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(
        Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, each]) => [key, sorted(each)]),
      )
    : value;
