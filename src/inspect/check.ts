/** Checks a model or adapter without running it: architecture, networks, missing parts, fitting adapters and models, memory. */
import { FileError, VariegateError } from "../errors.js";
import type { Family } from "../families/index.js";
import type { MemoryNeed } from "../generate/index.js";
import { locate } from "../lookup/index.js";
import { memoryNeedsOfFiles, readFiles } from "../open/index.js";
import { parseScheduler } from "../sampling/index.js";
import { type ComponentReport, componentReport, tensorsReport, unpackingNote, variantNote } from "./components.js";
import { adaptableParts, adaptersFor, type CheckRequest, type FitReport, modelsFor } from "./fit.js";
import { pairsOfFamily, pairsOfSize } from "./named-pairs.js";
import { problemIn } from "./problem.js";
import { type SubjectKind, subjectOf } from "./subject.js";

export interface CheckReport {
  readonly ref: string;
  readonly path: string;
  readonly kind: SubjectKind;
  /** Architecture. */
  readonly about: string;
  /** Evidence for the architecture. */
  readonly because: readonly string[];
  readonly family: Family | null;
  /** Class of the pipeline, or of the only network. */
  readonly pipeline: string;
  readonly components: readonly ComponentReport[];
  readonly parameters: number;
  readonly bytes: number;
  /** Missing parts; empty if the model can be a `--base`. */
  readonly missing: readonly string[];
  readonly notes: readonly string[];
  /** Named pairs of this architecture. */
  readonly pairs: readonly string[];
  /** For a model: adapters that were checked against it. */
  readonly adapters: readonly FitReport[];
  /** For an adapter: models that were checked against it. */
  readonly models: readonly FitReport[];
  /** Memory for the weights under each loading strategy; null if the model cannot run on its own. */
  readonly memory: readonly MemoryNeed[] | null;
}

/**
 * Checks a model or adapter. Builds the graphs of its networks, but loads none.
 * @throws FileError for an unsupported architecture or an unreadable file; the errors of `openPair` for an invalid network
 */
export async function checkReference(ref: string, request: CheckRequest = {}): Promise<CheckReport> {
  const path = await locate(ref, "model", request);
  const subject = await subjectOf(path);
  const components: ComponentReport[] = [];
  const notes = [...subject.notes];
  for (const component of subject.components) {
    notes.push(...unpackingNote(component.name, await component.weights()));
    const report = await componentReport(component);
    if (report) components.push(report);
    else notes.push(`${component.name}: ${component.className} is not supported`);
  }
  if (subject.tensors) components.push(tensorsReport(subject.kind, subject.tensors));
  if (components.length === 0) throw new FileError(path, `has no supported network (${notes.join("; ")})`);
  const scheduler = subject.checkpoint?.scheduler;
  if (scheduler) notes.push(`scheduler: ${parseScheduler(scheduler.config, scheduler.file).className}`);
  notes.push(...components.flatMap(variantNote));
  const parts = adaptableParts(subject.components);
  const unet = components.find((c) => c.className === "UNet2DConditionModel");
  const { missing, memory } = subject.checkpoint ? await tryRead(path) : { missing: [], memory: null };
  return {
    ref,
    path,
    kind: subject.kind,
    about: subject.about,
    because: subject.because,
    family: subject.family,
    pipeline: subject.className,
    components,
    parameters: components.reduce((n, c) => n + c.parameters, 0),
    bytes: components.reduce((n, c) => n + c.bytes, 0),
    missing,
    notes,
    pairs: unet ? await pairsOfSize(unet.parameters, path) : pairsOfFamily(subject.family),
    adapters: parts.size > 0 && subject.kind !== "text encoder" ? await adaptersFor(parts, request) : [],
    models: subject.kind === "adapter" && subject.tensors ? await modelsFor(subject.tensors, request) : [],
    memory,
  };
}

/** Reads a checkpoint as a `--base`: its memory needs, or what it is missing. */
async function tryRead(path: string): Promise<{ missing: string[]; memory: MemoryNeed[] | null }> {
  try {
    return { missing: [], memory: await memoryNeedsOfFiles(await readFiles({ base: path })) };
  } catch (error) {
    if (!(error instanceof VariegateError)) throw error;
    return { missing: [problemIn(path, error)], memory: null };
  }
}
