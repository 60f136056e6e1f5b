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
    sources: sourceFiles(pair, models, request, signal, true),
  };
  recorded.sources.catch(() => {});
  for await (const event of generate(pair, request, signal, cache)) {
    if (event.type === "image") {
      yield { type: "image", image: await saved(pair, workspace, run, recorded, event) };
      continue;
    }
    yield { ...eventJson(event), type: event.type };
    if (event.type === "step" && preview && (event.step === 0 || run.previews === "all")) {
      yield await previewOf(preview, event);
    }
  }
}

async function previewOf(preview: Preview, { prompt, seed, step, x0 }: StepEvent): Promise<RunEvent> {
  const [image] = await preview([x0]);
  return { type: "preview", prompt, seed, step, image: image ? await previewUrl(image, PREVIEW_SIDE) : "" };
}

async function saved(
  pair: OpenedPair,
  workspace: Workspace,
  run: Run,
  recorded: RecordedRun,
  event: GenerateEvent & { readonly type: "image" },
) {
  const { prompt, seed } = event;
  const { width, height } = event.image;
  const png = await recordedPng(pair, recorded, event);
  const image = await workspace.save(png, { run: run.id, prompt, seed, width, height });
  run.images.push(image);
  return image;
}
