/** Scale of an adapter, as JSON: one number, or separate ones for rows of the plan, blocks of the UNet, and samples of the request. */
import { z } from "zod";
import { RequestError } from "../errors.js";
import { parseRequest } from "../schema/index.js";

/** Blocks of a UNet; "other" contains its layers outside of blocks, and all layers of text encoders. */
export const BLOCKS = ["down", "mid", "up", "other"] as const;
export type Block = (typeof BLOCKS)[number];

/** A sample of a request: index of its prompt, and seed. */
export interface ScaleSample {
  readonly prompt: number;
  readonly seed: number;
}

const index = z.int().min(0);

/** JSON of a scale. The scale of a layer is the product of those of the row, the layer's block, and the sample. */
export const scaleSchema = z.strictObject({
  /** Scale of all rows, if `rows` is empty; default 1. */
  whole: z.number().default(1),
  /** Ranges of rows of the plan, from 0, ends included. The first match counts; other rows have scale 0. */
  rows: z
    .array(
      z
        .strictObject({ from: index, to: index, scale: z.number() })
        .readonly()
        .refine(({ from, to }) => from <= to, "from is after to"),
    )
    .readonly()
    .default([]),
  /** Scales of blocks; 1 for others. */
  blocks: z.partialRecord(z.enum(BLOCKS), z.number()).readonly().default({}),
  /** Scales of samples by prompt index, seed or both. The first match counts; other samples have scale 1. */
  samples: z
    .array(z.strictObject({ prompt: index.exactOptional(), seed: index.exactOptional(), scale: z.number() }).readonly())
    .readonly()
    .exactOptional(),
});

/** A scale with its defaults filled in. */
export type Scale = Readonly<z.output<typeof scaleSchema>>;
/** A scale in a request: a number, the text that `parseScale` reads, or an object with some of the fields. */
export type ScaleInput = number | string | Readonly<z.input<typeof scaleSchema>>;

/** The same scale for all rows, blocks and samples. */
export const constant = (whole: number): Scale => ({ whole, rows: [], blocks: {} });

/** Validates a scale and fills in defaults. @throws RequestError */
export function resolveScale(input: ScaleInput): Scale {
  if (typeof input === "string") return parseScale(input);
  return parseRequest(scaleSchema, typeof input === "number" ? { whole: input } : input, "adapter scale");
}

/** Scale in a row of the plan, of a block's layers, for a sample. */
export function scaleAt(
  { whole, rows, blocks, samples }: Scale,
  row: number,
  block: Block,
  sample?: ScaleSample,
): number {
  const here = rows.length === 0 ? whole : (rows.find((r) => row >= r.from && row <= r.to)?.scale ?? 0);
  const own =
    sample &&
    samples?.find(({ prompt = sample.prompt, seed = sample.seed }) => prompt === sample.prompt && seed === sample.seed);
  return here * (blocks[block] ?? 1) * (own?.scale ?? 1);
}

/** True when the scale is 0 in every row, so that the adapter has no effect. */
export const isZero = ({ whole, rows }: Scale): boolean =>
  rows.length === 0 ? whole === 0 : rows.every((r) => r.scale === 0);

/** Block of a layer, by its name. */
export const blockOf = (layer: string): Block => {
  const [, block] = /^(down|mid|up)_block/.exec(layer) ?? [];
  return BLOCKS.find((b) => b === block) ?? "other";
};

const NUMBER = "[-+]?\\d*\\.?\\d+(?:e[-+]?\\d+)?";

/**
 * Parses the scale of `--lora FILE:…`: "0.8", "0@0-1,0.8@2-3" (rows of the plan), or "down=0,mid=1,up=0.5" (blocks of the UNet).
 * @throws RequestError
 */
export function parseScale(text: string): Scale {
  const refuse = (): never => {
    throw new RequestError(
      `"${text}" is not a scale; expected a number (0.8), rows of the plan (0@0-1,0.8@2-3), or blocks of the UNet (down=0,mid=1,up=0.5)`,
    );
  };
  const finite = (digits: string): number => {
    const value = Number(digits);
    return Number.isFinite(value) ? value : refuse();
  };
  const words = text.split(",").map((word) => word.trim());
  const [first = ""] = words;
  if (words.length === 1 && new RegExp(`^${NUMBER}$`, "i").test(first)) return constant(finite(first));
  if (words.every((word) => word.includes("@"))) {
    const rows = words.map((word) => {
      const [, scale = "", from, to = from] =
        new RegExp(`^(${NUMBER})@(\\d+)(?:-(\\d+))?$`, "i").exec(word) ?? refuse();
      return { from: Number(from), to: Number(to), scale: finite(scale) };
    });
    return rows.some((r) => r.to < r.from) ? refuse() : { whole: 0, rows, blocks: {} };
  }
  const blocks = words.map((word) => {
    const [, block, scale = ""] = new RegExp(`^(\\w+)=(${NUMBER})$`, "i").exec(word) ?? refuse();
    return [BLOCKS.find((b) => b === block) ?? refuse(), finite(scale)] as const;
  });
  return { whole: 1, rows: [], blocks: Object.fromEntries(blocks) };
}
