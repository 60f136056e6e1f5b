/** The body of A1111's txt2img as a request, and which of its fields have no effect here. Independent of HTTP. */
import { z } from "@hono/zod-openapi";
import type { GenerateRequest } from "../generate/index.js";
import { scheduleTypeNamed } from "../sampling/index.js";
import { MOST_IMAGES, seedsFrom, type Unsupported } from "./images-made.js";
import { Refusal } from "./refusal.js";
import { extensionSchema } from "./schemas.js";

const text = z.string().nullish();
const number = z.number().nullish();
const count = z.int().min(1).max(MOST_IMAGES).nullish();

/** Settings that a request or `POST /sdapi/v1/options` may change. */
export const settingsSchema = z.record(z.string(), z.unknown()).openapi("A1111Options");

/** Fields that are read. Others are accepted, as A1111 does, and named in the answer. */
export const txt2imgSchema = z
  .looseObject({
    prompt: text,
    negative_prompt: text,
    seed: z.int().min(-1).nullish(),
    steps: z.int().min(1).nullish(),
    cfg_scale: z.number().min(0).nullish(),
    width: z.int().min(1).nullish(),
    height: z.int().min(1).nullish(),
    batch_size: count,
    n_iter: count,
    sampler_name: text,
    sampler_index: text,
    scheduler: text,
    eta: number,
    send_images: z.boolean().nullish(),
    save_images: z.boolean().nullish(),
    override_settings: settingsSchema.nullish(),
    override_settings_restore_afterwards: z.boolean().nullish(),
    variegate: extensionSchema.optional(),
  })
  .openapi("A1111Txt2Img");
export type Txt2Img = z.output<typeof txt2imgSchema>;

const READ = new Set(Object.keys(txt2imgSchema.shape));

/** Values with which a field of A1111 asks for nothing. For other fields: null, false, 0, "" and what is empty. */
const NEUTRAL: ReadonlyMap<string, readonly unknown[]> = new Map<string, readonly unknown[]>([
  ["subseed", [-1, 0]],
  ["subseed_strength", [0, -1]],
  ["seed_resize_from_h", [-1, 0]],
  ["seed_resize_from_w", [-1, 0]],
  ["s_churn", [0]],
  ["s_noise", [1]],
  ["s_tmax", [0]],
  ["script_name", ["None"]],
]);

/** Fields of the second pass, which only `enable_hr` starts; and those that change what A1111 keeps on its disk. */
const WITHOUT_EFFECT = /^(hr_|firstphase_|denoising_strength$|do_not_save_|save_images$|infotext$|script_args$)/;

const isEmpty = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  value === false ||
  value === 0 ||
  value === "" ||
  (typeof value === "object" && Object.keys(value).length === 0);

/** Fields that ask for something that is not done. */
export function unsupportedFields(body: Txt2Img): Unsupported[] {
  const fields = Object.entries(body).filter(([field, value]) => {
    if (READ.has(field) || NEUTRAL.get(field)?.includes(value)) return false;
    return !isEmpty(value) && !(WITHOUT_EFFECT.test(field) && body["enable_hr"] !== true);
  });
  const settings = unsupportedSettings(body.override_settings ?? {});
  return [
    ...fields.map(([field]) => ({ field, why: "is not supported" })),
    ...settings.map((setting) => ({ ...setting, field: `override_settings.${setting.field}` })),
  ];
}

/** Settings that are read. */
export const SETTINGS = ["sd_model_checkpoint", "CLIP_stop_at_last_layers"] as const;

export const unsupportedSettings = (settings: Readonly<Record<string, unknown>>): Unsupported[] =>
  Object.keys(settings)
    .filter((name) => !SETTINGS.some((known) => known === name))
    .map((field) => ({ field, why: "is not a setting of this server" }));

/** Layers that CLIP skips, from A1111's setting, which counts from 1. @throws Refusal */
function clipSkipOf(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1) return value - 1;
  throw new Refusal(400, `CLIP_stop_at_last_layers is ${JSON.stringify(value)}; expected an integer, at least 1`);
}

/** A name, or undefined for A1111's names of "the model's own". */
const chosen = (name: string | null | undefined): string | undefined =>
  name === null || name === undefined || /^(|automatic|use same \w+)$/i.test(name) ? undefined : name;

/**
 * The request of a body. What it leaves out is the pair's own, not A1111's default.
 * @param settings those of the server, under those of the body
 * @param modeNamed the mode of a model's title
 * @throws Refusal for a schedule type or setting that does not exist
 */
export function requestOf(
  body: Txt2Img,
  settings: Readonly<Record<string, unknown>>,
  modeNamed: (title: string) => GenerateRequest["mode"],
): GenerateRequest {
  const { sd_model_checkpoint: title, CLIP_stop_at_last_layers: layers } = { ...settings, ...body.override_settings };
  const type = chosen(body.scheduler);
  const sigmas = type === undefined ? undefined : scheduleTypeNamed(type);
  if (type !== undefined && sigmas === undefined)
    throw new Refusal(400, `scheduler ${JSON.stringify(type)} is not known`);
  const { seed, width, height } = body;
  const all = {
    prompts: [body.prompt ?? ""],
    negative: body.negative_prompt === "" ? undefined : (body.negative_prompt ?? undefined),
    promptSyntax: "a1111",
    seeds: seedsFrom(seed === -1 ? null : (seed ?? null), (body.batch_size ?? 1) * (body.n_iter ?? 1)),
    mode: typeof title === "string" && title !== "" ? modeNamed(title) : undefined,
    steps: body.steps ?? undefined,
    guidance: body.cfg_scale ?? undefined,
    eta: body.eta ?? undefined,
    scheduler: chosen(body.sampler_name ?? body.sampler_index),
    sigmas,
    clipSkip: clipSkipOf(layers),
    size: sizeOf(width, height),
  } as const;
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return { prompts: all.prompts, ...given, ...body.variegate };
}

function sizeOf(width: Txt2Img["width"], height: Txt2Img["height"]): GenerateRequest["size"] {
  const [some] = [width, height].filter((side) => typeof side === "number");
  return some === undefined ? undefined : { width: width ?? some, height: height ?? some };
}
