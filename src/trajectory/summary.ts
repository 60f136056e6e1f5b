/** What a trace found, in sentences: diversity kept, the row that decides it, and when images are committed. */
import { mean } from "../metrics/index.js";
import type { Mode } from "../sampling/index.js";
import { counted } from "../tensor/index.js";
import type { Space } from "./commit.js";
import type { CausalRow, Trace, TracedMode } from "./result.js";

/** Measures of a trace that the sentences are about. */
type Measures = Pick<Trace, "modes" | "causal" | "apart">;

/** Relative change of diversity below which a row is said to change nothing. One prompt gives no interval, so the bound is wide. */
const CHANGE = 0.1;

const NAMES: { readonly [M in Mode]: string } = { base: "base", distilled: "distilled model", hybrid: "hybrid" };

const percent = (share: number): string => `${Math.round(100 * share)} %`;
const steps = (count: number): string => counted(count, "step");

/** The space in which sentences and tables speak: CLIP features where there is a CLIP, pixels otherwise. */
export const spaceOf = ({ modes }: Pick<Trace, "modes">): Space =>
  modes[0]?.commit.perceptual ? "perceptual" : "pixel";

/** Sentences about a trace, the most important first. With one seed there is no distance between seeds, and one sentence says so. */
export function summarise(measures: Measures): string[] {
  const space = spaceOf(measures);
  if (!measures.apart) return ["One seed: diversity and commitment need at least two (--seeds 0-7)."];
  return [kept(measures, space), deciding(measures.causal, space), commitment(measures.modes, space)].flatMap(
    (s) => s ?? [],
  );
}

/** "Final images differ from seed to seed by 0.417 for the distilled model, 58 % of the base's 0.719; …" */
function kept({ modes, apart }: Measures, space: Space): string | null {
  const [first, ...others] = modes;
  const unit = apart?.[space];
  if (!first || unit == null || unit === 0 || others.length === 0) return null;
  const shares = others.flatMap(({ mode, spread }) => {
    const last = spread?.[space]?.at(-1);
    return last === undefined ? [] : [`the ${NAMES[mode]} keeps ${percent(last / unit)} (${last.toFixed(3)})`];
  });
  return `Of the ${NAMES[first.mode]}'s diversity (${unit.toFixed(3)}), ${shares.join(", ")}.`;
}

/** Which row of the distilled schedule changes diversity most when the base runs it. */
function deciding(causal: readonly CausalRow[] | null, space: Space): string | null {
  const alone = causal?.find((c) => c.row === null)?.diversity?.[space];
  if (!causal || alone == null) return null;
  const rows = causal
    .flatMap(({ row, timestep, diversity }) => {
      const value = diversity?.[space];
      return row === null || value == null ? [] : [{ row, timestep: timestep ?? 0, value }];
    })
    .sort((a, b) => b.value - a.value);
  const [most, next] = rows;
  if (!most) return null;
  if (most.value < (1 + CHANGE) * alone) {
    return `No single row run by the base raises the distilled model's diversity by more than ${percent(CHANGE)}.`;
  }
  const does = next && next.value < alone ? "lowers it" : "raises it";
  const then = next ? `; the next, row ${next.row}, ${does} to ${next.value.toFixed(3)}` : "";
  return `Row ${most.row} (timestep ${Math.round(most.timestep)}) decides: run by the base alone, it raises the distilled model's diversity from ${alone.toFixed(3)} to ${most.value.toFixed(3)}${then}.`;
}

/** After how many steps the images of each mode are committed, on average over seeds. */
function commitment(modes: readonly TracedMode[], space: Space): string | null {
  const parts = modes.flatMap(({ mode, steps: all, committed }) => {
    const done = committed?.[space];
    if (!done || done.length === 0) return [];
    const after = mean(done.map((c) => c.step + 1));
    return [`${NAMES[mode]} after ${after.toFixed(1)} of ${steps(all.length)}`];
  });
  return parts.length === 0 ? null : `Images are committed: ${parts.join(", ")}.`;
}
