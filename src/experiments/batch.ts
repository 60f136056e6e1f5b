/** What an experiment on a queue tells its workers: the models by reference, the rows, and what a worker must have in common with it. */
import { createHash } from "node:crypto";
import os from "node:os";
import { z } from "zod";
import { RequestError } from "../errors.js";
import type { Batch } from "../fleet/index.js";
import { versions } from "../inspect/index.js";
import { modelFields } from "../open/fields.js";
import { definitionSchema } from "./definition.js";
import type { ModelRequest } from "./models.js";
import type { BatchSettings } from "./request.js";
import type { ResultStore } from "./results.js";
import { uniqueCells, type Work } from "./work.js";

const text = z.string().min(1).exactOptional();
/** References to models. Folders, device and threads are the worker's own. */
const { modelFolders: _, ...travelling } = modelFields;
const modelsSchema = z.object({ ...travelling, clip: text, dreamsim: text, inception: text });

const jobSchema = z.object({
  /** Versions of Variegate and ONNX Runtime. */
  program: z.string(),
  store: z.object({ id: z.string(), address: z.string() }),
  models: modelsSchema,
  definitions: z.array(definitionSchema),
  rows: z.array(
    z.object({
      experiment: z.string(),
      row: z.string(),
      /** Hash of weights and configs. */
      weights: z.string(),
      /** Hash of the plan. */
      plan: z.string(),
    }),
  ),
  saveImages: z.boolean(),
});
export type BatchJob = z.output<typeof jobSchema>;

export function programOf(): string {
  const { variegate, onnxruntime } = versions();
  return `Variegate ${variegate} with ONNX Runtime ${onnxruntime}`;
}

const hashOf = (value: unknown): string =>
  createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);

const rowsOf = (works: readonly Work[]): BatchJob["rows"] =>
  works.flatMap(({ definition, origins }) =>
    [...origins].map(([row, { weights, plan }]) => ({
      ...{ experiment: definition.name, row, weights: weights.trim(), plan: hashOf(plan.rows) },
    })),
  );

/** The batch of an experiment. */
export function batchOf(
  models: ModelRequest,
  works: readonly Work[],
  store: ResultStore,
  { saveImages, ...settings }: BatchSettings,
): Batch {
  const ids = uniqueCells(works).map((c) => c.id);
  const job: BatchJob = {
    program: programOf(),
    store: { id: store.id, address: store.address },
    models: modelsSchema.parse(models),
    definitions: works.map((w) => w.definition),
    rows: rowsOf(works),
    saveImages,
  };
  return {
    ...settings,
    content: hashOf([ids, store.id, saveImages]),
    size: ids.length,
    since: new Date().toISOString(),
    host: os.hostname(),
    cancelled: false,
    job,
  };
}

/** Parses the job of a batch. @throws RequestError for one of another version of the program */
export function jobOf({ name, job }: Batch): BatchJob {
  const known = z.object({ program: z.string() }).safeParse(job);
  const theirs = known.success ? known.data.program : "another program";
  const parsed = jobSchema.safeParse(job);
  if (theirs !== programOf() || !parsed.success) {
    throw new RequestError(
      `experiment ${name} was started by ${theirs}; this worker is ${programOf()}: install the same version on both`,
    );
  }
  return parsed.data;
}

/** Compares the store of a worker with that of the experiment. @throws RequestError */
export function checkStore(name: string, { store: theirs }: BatchJob, own: ResultStore): void {
  if (theirs.id === own.id) return;
  throw new RequestError(
    `experiment ${name} keeps its results in ${theirs.address} (store ${theirs.id}); --store ${own.address} is store ${own.id}`,
  );
}

/** Compares the models and plans of a worker with those of the experiment. @throws RequestError with both values */
export function checkRows(name: string, { rows: theirs }: BatchJob, works: readonly Work[]): void {
  const own = rowsOf(works);
  for (const [i, expected] of theirs.entries()) {
    const actual = own[i];
    const row = `experiment ${name}, row ${JSON.stringify(expected.row)}`;
    if (actual?.weights !== expected.weights) {
      throw new RequestError(
        `${row}: the models here have the fingerprint ${actual?.weights ?? "none"}, the experiment's ${expected.weights}; a worker needs the same files`,
      );
    }
    if (actual.plan !== expected.plan) {
      throw new RequestError(
        `${row}: the plan here has the hash ${actual.plan}, the experiment's ${expected.plan}; scheduler configs or settings differ`,
      );
    }
  }
}
