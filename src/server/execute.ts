/** Executes a run: generates, decodes previews, saves each image before it is announced. */
import { type RecordedRun, recordedPng } from "../convert/index.js";
import { RequestError } from "../errors.js";
import { previewUrl } from "../files/index.js";
import {
  eventJson,
  type GenerateCache,
  type GenerateEvent,
  generate,
  type StepEvent,
  withCalibrated,
} from "../generate/index.js";
import { describeRun } from "../inspect/index.js";
import { type OpenedPair, type OpenOptions, type PairReference, sourceFiles } from "../open/index.js";
import { openPreview, type Preview } from "../trajectory/index.js";
import { withoutWorkspace } from "./adapter-files.js";
import type { Run, RunEvent } from "./run.js";
import type { Workspace } from "./workspace.js";

/** What all runs of a studio share. */
export interface Served {
  readonly pair: OpenedPair;
  readonly models: PairReference & OpenOptions;
  readonly workspace: Workspace;
  /** Results of earlier runs. */
  readonly cache: GenerateCache;
}

type ImageEvent = GenerateEvent & { readonly type: "image" };

/** Pixels of the longer side of a preview. */
const PREVIEW_SIDE = 256;

/**
 * The pair as clients may use it: adapters are named as in the model folders or the package, so that a client can neither open
 * another file of this machine nor start a download.
 */
export const servedPair = (pair: OpenedPair): OpenedPair => ({
  ...pair,
  openAdapter: (ref, options) => pair.openAdapter(ref, { ...options, byName: true }),
});

/** Previews by the published linear map where there is one, else by the pair's decoder. */
async function fastestPreview(pair: OpenedPair): Promise<Preview> {
  try {
    return await openPreview(pair, "rgb");
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    return openPreview(pair, "vae");
  }
}

/** Events of a run. Stops after the current model call when the run is aborted. @throws as generate; FileError, MachineError when an image cannot be saved */
export async function* execute(
  { pair, models, workspace, cache }: Served,
  run: Run,
): AsyncGenerator<RunEvent | Readonly<Record<string, unknown> & { type: string }>, void, undefined> {
  const { request, controller } = run;
  const { signal } = controller;
  const preview = run.previews === "none" ? null : await fastestPreview(pair);
  const recorded: RecordedRun = {
    machine: describeRun(pair),
    models: withoutWorkspace(models, workspace.folder),
    // With the calibrated setting, so that the record does not depend on this machine.
    request: withCalibrated(pair, request),
    // A choice is recorded as its batch: the whole would choose again.
    ...(!request.choose && { whole: { request: withCalibrated(pair, request) } }),
    sources: sourceFiles(pair, models, request, signal, true),
  };
  recorded.sources.catch(() => {});
  let shown: StepEvent[] = [];
  let made: ImageEvent[] = [];
  let isFirst = true;
  for await (const event of generate(pair, request, signal, cache)) {
    if (event.type === "image") {
      made.push(event);
      if (event.following > 0) continue;
      yield* saved(pair, workspace, run, recorded, made);
      made = [];
      continue;
    }
    yield { ...eventJson(event), type: event.type };
    if (event.type !== "step" || !preview || !isPreviewed(event, run.previews)) continue;
    shown.push(event);
    // The first picture appears at once; the others of its call are decoded together.
    if (!isFirst && event.following > 0) continue;
    yield* previewsOf(preview, shown);
    [shown, isFirst] = [[], false];
  }
}

/** True for steps that are shown. The x0 of a last step without noise is the image itself. */
const isPreviewed = ({ step, steps, to }: StepEvent, previews: Run["previews"]): boolean =>
  step === 0 || (previews === "all" && (step < steps - 1 || to.sigma > 0));

async function* previewsOf(preview: Preview, events: readonly StepEvent[]): AsyncGenerator<RunEvent> {
  const images = await preview(events.map(({ x0 }) => x0));
  const urls = await Promise.all(images.map((image) => previewUrl(image, PREVIEW_SIDE)));
  for (const [i, { prompt, seed, step }] of events.entries()) {
    yield { type: "preview", prompt, seed, step, image: urls[i] ?? "" };
  }
}

/** Encodes and saves images of one call at the same time. @throws FileError, MachineError once those before the fault are announced */
async function* saved(
  pair: OpenedPair,
  workspace: Workspace,
  run: Run,
  recorded: RecordedRun,
  events: readonly ImageEvent[],
): AsyncGenerator<RunEvent> {
  const encoded = events.map(async (event) => {
    const { prompt, seed, image } = event;
    const png = await recordedPng(pair, recorded, event);
    return { png, run: run.id, prompt, seed, width: image.width, height: image.height };
  });
  const { images, error } = await workspace.save(await Promise.all(encoded));
  for (const image of images) {
    run.images.push(image);
    yield { type: "image", image };
  }
  if (error !== null) throw error;
}
