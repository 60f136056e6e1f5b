/** Opens other models in place of those of a studio, on the same workspace. The old ones serve until the new ones are open. */
import { VariegateError } from "../errors.js";
import type { DownloadEvent } from "../hub/index.js";
import type { OpenOptions, PairReference } from "../open/index.js";
import { formatBytes } from "../tensor/index.js";
import { Refusal } from "./refusal.js";
import { openStudioOn, type Studio, type StudioOptions } from "./studio.js";

/** Models as a client names them. */
export type NamedModels = Pick<PairReference, "pair" | "base" | "distilled">;

export interface OtherModels {
  /** What is being opened, or could not be; null when nothing is. */
  readonly opening: { readonly text: string; readonly error: string | null } | null;
  /** Begins to open models. @throws Refusal while others are being opened */
  open(models: NamedModels): void;
  /** Gives up what is being opened. */
  stop(): Promise<void>;
}

/** What the studio's models were opened with apart from their names: the machine, and where models are. */
const kept = ({
  device,
  threads,
  memoryBudget,
  upcast,
  modelFolders,
  pairs,
  variant,
  compute,
}: PairReference & OpenOptions) =>
  Object.fromEntries(
    Object.entries({ device, threads, memoryBudget, upcast, modelFolders, pairs, variant, compute }).filter(
      ([, value]) => value !== undefined,
    ),
  ) as PairReference & OpenOptions;

const textOf = ({ pair, base, distilled }: NamedModels): string =>
  pair ?? [base, distilled].filter(Boolean).join(" + ");

/** A download in words; null for events that say nothing new. */
function progressOf(event: DownloadEvent): string | null {
  if (event.type === "fetch-progress")
    return `${event.repository}: ${formatBytes(event.done)} of ${formatBytes(event.bytes)}`;
  return event.type === "fetch-note" ? event.text : null;
}

/**
 * @param studio the studio that is served now
 * @param onOpened called with the studio that is to be served from then on; the one before is released
 */
export function createOtherModels(
  studio: () => Studio,
  { opening: callbacks, onError }: Pick<StudioOptions, "opening" | "onError">,
  onOpened: (studio: Studio) => void,
): OtherModels {
  let opening: OtherModels["opening"] = null;
  let work: Promise<void> = Promise.resolve();
  let controller = new AbortController();

  async function replace(named: NamedModels, signal: AbortSignal): Promise<void> {
    const before = studio();
    const show = (text: string) => {
      opening = { text, error: null };
    };
    try {
      const opened = await openStudioOn(before.workspace, {
        models: { ...kept(before.models), ...named },
        onError,
        opening: {
          ...callbacks,
          signal,
          onDownload(event) {
            callbacks?.onDownload?.(event);
            const progress = progressOf(event);
            if (progress !== null) show(progress);
          },
        },
      });
      onOpened(opened);
      opening = null;
      await before.release();
    } catch (error) {
      if (!(error instanceof VariegateError)) onError(error);
      const message =
        error instanceof VariegateError ? error.message : "internal error; the terminal of the studio shows it";
      opening = { text: textOf(named), error: message };
    }
  }

  return {
    get opening() {
      return opening;
    },
    open(named) {
      if (opening && opening.error === null) throw new Refusal(409, `${opening.text} is being opened already`);
      controller = new AbortController();
      opening = { text: textOf(named), error: null };
      work = replace(named, controller.signal);
    },
    async stop() {
      controller.abort();
      await work;
    },
  };
}
