/** The hand-off that a request leaves open: the calibrated setting of the pair as a whole, where `switch` is auto or no part of a hand-off is named. */
import { RequestError } from "../errors.js";
import type { SamplingRequest, Settled, SettledRequest } from "../sampling/index.js";
import { formsOf } from "../schema/index.js";
import type { PlanSource } from "./plan-source.js";
import { HYBRID_FIELDS, requestFields } from "./request.js";
import type { Setting, Settings } from "./settings.js";

/** Fields that a calibration decides: those of a hand-off, apart from the guidance of the base. */
const DECIDED = HYBRID_FIELDS.filter((name) => name !== "switch" && name !== "baseGuidance");

/** What the calibration of a pair adds to a request; null where there is none, or another hand-off or mode is asked for. */
function calibrationFor({ calibrated, distilled }: PlanSource, request: SamplingRequest): SettledRequest | null {
  const { mode } = request;
  if (!calibrated || !distilled || (mode !== undefined && mode !== "hybrid")) return null;
  const { sampling } = calibrated;
  const isOther = mode === "hybrid" && sampling.mode === "distilled";
  // A hybrid that is asked for stays one, without rows of the base.
  if (request.switch === "auto") return isOther ? { switch: 0 } : sampling;
  return isOther || HYBRID_FIELDS.some((name) => request[name] !== undefined) ? null : sampling;
}

/**
 * A request with the calibrated setting of the pair, if it asks for it by `auto` or names no part of another hand-off, and no other mode.
 * @throws RequestError for `auto` beside another part of a hand-off
 */
export function withCalibrated<R extends SamplingRequest>(pair: PlanSource, request: R): Settled<R> {
  const { switch: rows, ...rest } = request;
  const beside = rows === "auto" ? DECIDED.find((name) => request[name] !== undefined) : undefined;
  if (beside !== undefined) {
    const flag = formsOf(requestFields[beside])[0]?.flag.split(" ")[0];
    throw new RequestError(`--switch auto decides the whole hand-off; leave out ${flag}, or give --switch a number`, {
      field: beside,
    });
  }
  return {
    ...rest,
    ...(rows !== undefined && rows !== "auto" && { switch: rows }),
    ...calibrationFor(pair, request),
  } as Settled<R>;
}

/** A sentence where `--switch auto` has to take the default; null where a calibration or the pair decides, or it is not asked for. */
export function uncalibrated(pair: PlanSource, request: SamplingRequest): string | null {
  const { row, distilled } = pair;
  const { switch: rows, mode = "hybrid" } = request;
  if (rows !== "auto" || mode !== "hybrid" || !distilled) return null;
  if (calibrationFor(pair, request) || row?.switch !== undefined) return null;
  const command = row ? `variegate calibrate --pair ${row.name}` : "variegate calibrate with these models";
  return `--switch auto: this pair has no calibration, so the base runs 1 step, the default; ${command} finds its setting`;
}

/** Names the calibration as the origin of the settings that it gave. */
export function originsOf(pair: PlanSource, asked: SamplingRequest, settings: Settings): Settings {
  const sampling = calibrationFor(pair, asked);
  const { calibrated } = pair;
  if (!calibrated || !sampling) return settings;
  const from = <T>(setting: Setting<T>): Setting<T> => ({
    value: setting.value,
    from: "calibrated",
    on: calibrated.on,
  });
  const { mode, switch: first, handoff, base } = settings;
  return {
    ...settings,
    ...(asked.mode === undefined && { mode: from(mode) }),
    ...(first && { switch: from(first) }),
    ...(handoff && sampling.handoff !== undefined && { handoff: from(handoff) }),
    ...(base?.steps && sampling.ratio && { base: { ...base, steps: from(base.steps) } }),
  };
}
