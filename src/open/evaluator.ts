/** Opens the instruments that evaluate a pair's images. */
import { DEFAULT_CLIP, type PairRow } from "../catalogue/index.js";
import { FileError } from "../errors.js";
import type { Evaluator } from "../evaluation/index.js";
import type { Engine } from "../generate/index.js";
import type { ClipScorer } from "../instruments/index.js";
import type { LookupOptions } from "../lookup/index.js";
import { openClassifier, openClip } from "./instruments.js";

/** What instruments of a pair are opened from. */
interface Source {
  readonly row: PairRow | null;
  readonly engine: Pick<Engine, "runtime">;
  readonly lookup: LookupOptions;
}

/** Value of `--clip` that opens no CLIP. */
const NO_CLIP = "none";

/** Use of a CLIP that the user did not name. */
export interface ClipOptions {
  /** CLIPModel for a pair that names none. Default: none is opened. */
  readonly fallback?: string;
  /** Called with the reason where a CLIP that the user did not name is not available, as without a network. Default: the error is thrown. */
  readonly onUnavailable?: (why: string) => void;
}

/** Options for commands that measure any pair: a small CLIP from the Hub where the pair has none, and a reason where it is not available. */
export const anyClip = (onUnavailable: (why: string) => void): ClipOptions => ({
  fallback: DEFAULT_CLIP,
  onUnavailable,
});

/** Opens the CLIPModel `clip`, or the pair's own; null where there is none, and for the reference "none". */
export async function openOwnClip({ row, engine, lookup }: Source, clip?: string): Promise<ClipScorer | null> {
  const ref = clip ?? row?.clip ?? undefined;
  return ref === undefined || ref === NO_CLIP ? null : openClip(ref, engine.runtime, lookup);
}

/**
 * Opens the CLIPModel `clip`, or the pair's own, or `fallback`, and the pair's attribute classifier. Null without a CLIP, and for the
 * reference "none". @throws FileError, RequestError for a CLIP that cannot be used
 */
export async function openEvaluator(
  pair: Source,
  clip?: string,
  { fallback, onUnavailable }: ClipOptions = {},
): Promise<Evaluator | null> {
  const { row, engine, lookup } = pair;
  const ref = clip ?? row?.clip ?? fallback;
  if (ref === undefined || ref === NO_CLIP) return null;
  const scorer = await openClip(ref, engine.runtime, lookup).catch((error: unknown): ClipScorer | null => {
    if (clip !== undefined || !onUnavailable || !(error instanceof FileError)) throw error;
    onUnavailable(`the CLIP ${error.message}`);
    return null;
  });
  return (
    scorer && {
      clip: scorer,
      classifier: row?.judge ? await openClassifier(row.judge, engine.runtime, lookup) : null,
    }
  );
}
