/** Images for clients of other programs' APIs: one request, one answer with all of its images. Submits a run and waits for its end. */
import { randomInt } from "node:crypto";
import type { GenerateRequest } from "../generate/index.js";
import type { ImageRecord } from "./history.js";
import { Refusal } from "./refusal.js";
import { inOrder, type Run } from "./run.js";
import type { Studio } from "./studio.js";

export interface MadeImage {
  readonly image: ImageRecord;
  readonly png: Uint8Array;
}

/** A run that is done, and what it said on the way. */
export interface Made {
  readonly run: Run;
  readonly images: readonly MadeImage[];
  readonly notices: readonly string[];
}

/** Most images of one answer. */
export const MOST_IMAGES = 32;

/** Seeds from one, or from a random one. */
export function seedsFrom(first: number | null, count: number): number[] {
  const from = first ?? randomInt(2 ** 32 - MOST_IMAGES);
  return Array.from({ length: count }, (_, i) => from + i);
}

/**
 * Makes the images of a request. The run is cancelled when the client leaves.
 * @throws as Studio.submit; Refusal when the run fails or is cancelled
 */
export async function make(
  studio: Studio,
  client: string,
  request: GenerateRequest,
  signal: AbortSignal,
): Promise<Made> {
  const run = await studio.submit(client, request, { supersede: false, previews: "first" });
  const leave = () => studio.cancel(run);
  signal.addEventListener("abort", leave);
  if (signal.aborted) leave();
  const notices: string[] = [];
  try {
    for await (const { type, json } of run.log.read(0, signal)) {
      if (type === "notice") notices.push(String((JSON.parse(json) as { readonly text: unknown }).text));
    }
  } finally {
    signal.removeEventListener("abort", leave);
  }
  if (run.state === "failed")
    throw new Refusal(run.error?.field === undefined ? 503 : 400, run.error?.message ?? "the run failed");
  if (run.state !== "done") throw new Refusal(409, `the run is ${run.state}`);
  const images = [];
  for (const image of inOrder({ ...request }, run.images))
    images.push({ image, png: await studio.workspace.read(image.id) });
  return { run, images, notices };
}

/** A field of another API that has no counterpart here. */
export interface Unsupported {
  readonly field: string;
  readonly why: string;
}

/** Ids of the models as other APIs name them: the pair, in each mode that it has. */
export function modelIds({
  pair,
}: Pick<Studio, "pair">): { readonly id: string; readonly mode: "base" | "distilled" | "hybrid" }[] {
  const name = pair.row?.name ?? pair.located.base.ref.split(/[\\/]/).filter(Boolean).at(-1) ?? "model";
  const modes = pair.distilled ? (["hybrid", "distilled", "base"] as const) : (["base"] as const);
  return modes.map((mode) => ({ id: `${name}:${mode}`, mode }));
}

/** The mode that a model id selects: an id of `modelIds`, or the pair's name alone. @throws Refusal for another one */
export function modeOf(studio: Studio, id: string, field: string): GenerateRequest["mode"] {
  const known = modelIds(studio);
  const found = known.find((model) => model.id === id);
  if (found) return found.mode;
  if (known.some((model) => model.id.startsWith(`${id}:`))) return undefined;
  throw new Refusal(
    404,
    `${field} ${JSON.stringify(id)} is not served; expected one of ${known.map((m) => m.id).join(", ")}`,
  );
}
