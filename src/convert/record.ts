/**
 * What an image says about its making: the record in the chunk `variegate` of its PNG, which is enough to make it again, and the
 * infotext of A1111 in the chunk `parameters`. Writes both; does not read them.
 */
import { createHash } from "node:crypto";
import path from "node:path";
import { resolveScale, type ScaleInput, scaleAt } from "../adapters/index.js";
import { encodePng } from "../files/index.js";
import {
  type GenerateEvent,
  type GenerateRequest,
  planFor,
  planRequestFor,
  requestSchema,
  type SampleKey,
  settingsFor,
} from "../generate/index.js";
import type { OpenedPair, OpenOptions, PairReference, SourceFile } from "../open/index.js";
import { a1111Names, type Plan, planJson, stepCount } from "../sampling/index.js";
import { parseRequest } from "../schema/index.js";
import type { RgbImage } from "../tensor/index.js";
import { infotext } from "./infotext.js";

/** A run, as its images record it. */
export interface RecordedRun {
  /** Versions, device, compute type, commits, platform. */
  readonly machine: Readonly<Record<string, unknown>> & { readonly versions: { readonly variegate: string } };
  readonly models: PairReference & OpenOptions;
  readonly request: GenerateRequest;
  /**
   * The request as it was made, where images record it beside the one for their batch: the batch makes an image again to the bit, the
   * whole brings back what it was made with. `image` is the image among those of the whole; by default the one that is written.
   */
  readonly whole?: { readonly request: GenerateRequest; readonly image?: SampleKey };
  /** How the seeds were chosen from more, where they were. */
  readonly choice?: Readonly<Record<string, unknown>>;
  /** Hashes may still be computed while the first images are made. */
  readonly sources: Promise<readonly SourceFile[]>;
}

type ImageEvent = GenerateEvent & { readonly type: "image" };

/** SHA-256 of an image's pixels, row by row as RGB: equal for equal images in different files. */
export const pixelHash = ({ data }: RgbImage): string => createHash("sha256").update(data).digest("hex");

/** Encodes an image with the record of its making and the infotext. */
export async function recordedPng(pair: OpenedPair, run: RecordedRun, event: ImageEvent): Promise<Uint8Array> {
  const { machine, models } = run;
  const plan = planFor(pair, run.request);
  const sources = await run.sources;
  const prompt = run.request.prompts[event.prompt] ?? "";
  const { request, image } = batchRequest(run.request, event);
  const record = {
    prompt,
    negative: run.request.negative,
    seed: event.seed,
    mode: run.request.mode,
    ...machine,
    models,
    request,
    image,
    ...(run.whole && wholeOf(run.whole, event)),
    plan: planJson(plan),
    sources,
    ...(run.choice && { choice: run.choice }),
    pixels: pixelHash(event.image),
  };
  const size = event.image;
  return encodePng(size, {
    variegate: JSON.stringify(record),
    parameters: infotextOf(pair, run, { prompt, sample: event, size, plan, sources }),
  });
}

/** A whole request and an image of it, as `readRecord` reads them. In the order of the schema's keys. */
const wholeOf = ({ request, image }: NonNullable<RecordedRun["whole"]>, { prompt, seed }: SampleKey) => ({
  whole: { request: parseRequest(requestSchema, request), image: image ?? { prompt, seed } },
});

/**
 * The request for the batch of an image, and the image's place in it. The whole batch is needed: in another batch a network rounds
 * differently in the last bits.
 */
export function batchRequest(
  request: GenerateRequest,
  { batch, perCall, prompt, seed }: SampleKey & { readonly batch: readonly SampleKey[]; readonly perCall: number },
): { readonly request: GenerateRequest; readonly image: SampleKey } {
  const used = [...new Set(batch.map((s) => s.prompt))].sort((a, b) => a - b);
  const at = (key: SampleKey): SampleKey => ({ prompt: used.indexOf(key.prompt), seed: key.seed });
  const seeds = (request.seeds ?? [0]).filter((s) => batch.some((key) => key.seed === s));
  const prompts = used.map((p) => request.prompts[p] ?? "");
  const adapters = request.adapters?.map(({ scale, ...use }) => ({
    ...use,
    ...(scale !== undefined && { scale: scaleFor(scale, used) }),
  }));
  // Parsed for the order of its keys, so that an image that is made again has the same bytes.
  const own = parseRequest(requestSchema, {
    ...{ ...request, prompts, seeds, samples: batch.map(at), batch: perCall },
    ...(adapters && { adapters }),
  });
  return { request: own, image: at({ prompt, seed }) };
}

/** A scale by samples for a request that has only these prompts of its own, by index. */
function scaleFor(scale: ScaleInput, used: readonly number[]): ScaleInput {
  if (typeof scale !== "object" || !scale.samples) return scale;
  const samples = scale.samples.flatMap(({ prompt, ...rule }) => {
    if (prompt === undefined) return rule;
    return used.includes(prompt) ? { ...rule, prompt: used.indexOf(prompt) } : [];
  });
  return { ...scale, samples };
}

/** Digits that A1111 shows of the hash of a checkpoint, and of a LoRA or an embedding. */
const SHORT = 10;
const SHORT_NETWORK = 12;

interface ImageFacts {
  readonly prompt: string;
  readonly sample: SampleKey;
  readonly size: { readonly width: number; readonly height: number };
  readonly plan: Plan;
  readonly sources: readonly SourceFile[];
}

/** Infotext of an image, with A1111's keys where it has them, and further ones for what it has not: the hybrid. */
function infotextOf(pair: OpenedPair, run: RecordedRun, { prompt, sample, size, plan, sources }: ImageFacts): string {
  const { request, models } = run;
  const settings = settingsFor(pair, request);
  const mode = settings.mode.value;
  const model = settings.distilled ?? settings.base;
  const asked = planRequestFor(pair, request);
  const { scheduler } = asked.mode === "base" ? asked.base : asked.distilled;
  const { sampler, type } = a1111Names(scheduler);
  const base = sources.find((s) => s.role === "base");
  const distilled = mode === "base" ? undefined : sources.find((s) => s.role === "distilled");
  const distilledModel = distilled?.weights === undefined ? distilled : undefined;
  // Without a hybrid, A1111 knows one model: the one that runs.
  const main = (mode === "distilled" ? distilledModel : undefined) ?? base;
  const decoder = models.decoder === undefined ? undefined : sources.find((s) => s.role === "decoder");
  const guidance = model?.guidance.value ?? 0;
  const skip = request.clipSkip ?? 0;
  const timesteps = model?.timesteps?.value;
  const list = (role: SourceFile["role"]) =>
    sources
      .filter((s) => s.role === role)
      .map((s) => `${stemOf(s)}: ${(s.weights ?? s.sha256).slice(0, SHORT_NETWORK)}`)
      .join(", ") || undefined;
  return infotext(withLoras(prompt, run, sample), request.negative, {
    Steps: stepCount(plan),
    // Where A1111 has no name, the class keeps diffusers'.
    Sampler: sampler ?? scheduler.className,
    "Schedule type": type,
    "CFG scale": guidance < 1 ? 1 : guidance,
    Seed: sample.seed,
    Size: `${size.width}x${size.height}`,
    "Model hash": main?.sha256.slice(0, SHORT),
    Model: main && stemOf(main),
    "VAE hash": decoder?.sha256.slice(0, SHORT),
    VAE: decoder?.file,
    "Clip skip": skip > 0 ? skip + 1 : undefined,
    "Lora hashes": list("adapter"),
    "TI hashes": list("embedding"),
    RNG: "CPU",
    Mode: mode,
    Pair: pair.row?.name,
    Switch: mode === "hybrid" ? String(settings.switch?.value) : undefined,
    "Distilled model hash": mode === "hybrid" ? distilledModel?.sha256.slice(0, SHORT) : undefined,
    "Distilled model": mode === "hybrid" && distilledModel ? stemOf(distilledModel) : undefined,
    "Distilled LoRA hash": distilled?.weights?.slice(0, SHORT_NETWORK),
    "Distilled LoRA": distilled?.weights === undefined ? undefined : stemOf(distilled),
    Timesteps: timesteps?.join(", "),
    Version: `variegate ${run.machine.versions.variegate}`,
  });
}

/** Name of a model as A1111 shows it: the file without its ending; for a folder of models, the reference's last part. */
function stemOf({ ref, file }: SourceFile): string {
  const name = file.includes("/") ? (ref.split(/[\\/:]/).findLast((part) => part !== "") ?? ref) : file;
  return path.basename(name).replace(/\.(safetensors|sft|ckpt|pt|pth|bin|gguf)$/i, "");
}

/** The prompt with A1111's tags of the LoRAs whose scale for the sample is one number for both models. */
function withLoras(prompt: string, { models, request }: RecordedRun, sample: SampleKey): string {
  const tags = [...(models.adapters ?? []), ...(request.adapters ?? [])].flatMap(({ ref, scale = 1, on = "both" }) => {
    const resolved = resolveScale(scale);
    if (resolved.rows.length > 0 || Object.keys(resolved.blocks).length > 0 || on !== "both") return [];
    return [`<lora:${path.basename(ref).replace(/\.\w+$/, "")}:${scaleAt(resolved, 0, "other", sample)}>`];
  });
  return [prompt, ...tags].join(" ");
}
