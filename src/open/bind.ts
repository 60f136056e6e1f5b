/** Pair files + runtime → pair. Loads no network. */
import { stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { Adapter } from "../adapters/index.js";
import { type Additions, type BoundPair, bindParts } from "../assembly/index.js";
import type { PairRow } from "../catalogue/index.js";
import { adapterFile, deriveInFile } from "../checkpoint/node/index.js";
import type { Pair } from "../generate/index.js";
import { commitOf } from "../hub/index.js";
import { type LookupOptions, locate, locateByName } from "../lookup/index.js";
import type { Compute } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { type Adaptable, openAdapter } from "./adapters.js";
import { openOwnClip } from "./evaluator.js";
import type { LocatedPair } from "./locate.js";
import type { PairFiles } from "./read.js";
import type { OpenOptions } from "./reference.js";

/** Pair with the facts of its files. */
export interface OpenedPair extends BoundPair {
  readonly row: PairRow | null;
  /** References of the models, with their local paths. */
  readonly located: LocatedPair;
  /** Commits of models from the Hub. */
  readonly commits: { readonly base: string | null; readonly distilled: string | null };
  /** Lookup options for further references. */
  readonly lookup: LookupOptions;
}

/** Default memory budget as a share of the machine's memory. */
const MACHINE_SHARE = 0.8;

/** Memory of this machine in bytes, or of the limit of its container. */
function machineMemory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, os.totalmem()) : os.totalmem();
}

/** Default memory budget in bytes: a share of a machine's memory, by default of this one's. */
export const machineBudget = (memory: number = machineMemory()): number => MACHINE_SHARE * memory;

/** Binds the files of a pair to a runtime. Closing the pair closes the runtime. */
export async function bindPair(
  files: PairFiles,
  additions: Additions,
  runtime: Runtime,
  compute: Compute,
  { memoryBudget = machineBudget(), upcast, joinCalls, onPrepare, clip }: OpenOptions,
): Promise<OpenedPair> {
  const { located, row, family, parts, lookup } = files;
  const bound = await bindParts(files, additions, runtime, {
    compute,
    memoryBudget,
    upcast,
    joinCalls,
    onPrepare,
    derive: deriveInFile,
    openAdapter: adapterCache({ parts, family, lookup }),
    clip: (engine) => openOwnClip({ row, engine, lookup }, clip),
  });
  const commits = { base: commitOf(located.base.path), distilled: commitOf(located.distilled?.path ?? "") };
  return { ...bound, row, located, commits, lookup };
}

/** Caches the adapters of a pair until their files change. Failures are not cached. */
function adapterCache(model: Adaptable & { readonly lookup: LookupOptions }): Pair["openAdapter"] {
  const opened = new Map<string, Promise<Adapter>>();
  return async (ref, { allowUnmatched = false, byName = false } = {}) => {
    const place = await (byName ? locateByName : locate)(ref, "adapter", model.lookup);
    const file = await adapterFile(place);
    const config = path.join(path.dirname(file), "adapter_config.json");
    const key = JSON.stringify([ref, file, await changeOf(file), await changeOf(config), allowUnmatched]);
    const adapter = opened.get(key) ?? openAdapter(model, byName ? place : ref, { allowUnmatched });
    opened.set(key, adapter);
    adapter.catch(() => opened.delete(key));
    return adapter;
  };
}

/** Size and time of the last change of a file; zeros without one. */
async function changeOf(file: string): Promise<readonly number[]> {
  const { size, mtimeMs } = await stat(file).catch(() => ({ size: 0, mtimeMs: 0 }));
  return [size, mtimeMs];
}
