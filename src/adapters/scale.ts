/** Scale of an adapter as JSON: one number, or one for rows of the plan, for blocks of the UNet, and for samples of the request. */
import { z } from "zod";
import { RequestError } from "../errors.js";
import { parseRequest } from "../schema/index.js";

/** Blocks of a UNet; "other" are its layers outside the blocks, and text encoders. */
export const BLOCKS = ["down", "mid", "up", "other"] as const;
export type Block = (typeof BLOCKS)[number];

/** A sample of a request: index of its prompt, and seed. */
export interface ScaleSample {
  readonly prompt: number;
  readonly seed: number;
}

const index = z.int().min(0);

/** Its JSON. The scale of a layer is that of the row, times that of its block, times that of the sample. */
export const scaleSchema = z.strictObject({
  /** For all rows where `rows` is empty; default 1. */
  whole: z.number().default(1),
  /** Rows of the plan, counted from 0, ends included; rows that are not listed have 0. */
  rows: z
    .array(
      z
        .strictObject({ from: index, to: index, scale: z.number() })
        .readonly()
        .refine(({ from, to }) => from <= to, "from is after to"),
    )
    .readonly()
    .default([]),
  /** 1 for blocks that are not listed. */
  blocks: z.partialRecord(z.enum(BLOCKS), z.number()).readonly().default({}),
  /** Samples by prompt index, seed or both; the first entry that matches counts, 1 for samples that none matches. */
  samples: z
    .array(z.strictObject({ prompt: index.exactOptional(), seed: index.exactOptional(), scale: z.number() }).readonly())
    .readonly()
    .exactOptional(),
});

/** A scale with its defaults filled in. */
export type Scale = Readonly<z.output<typeof scaleSchema>>;
/** A scale as requests write it: a number, the text of `parseScale`, or an object with any of the fields. */
export type ScaleInput = number | string | Readonly<z.input<typeof scaleSchema>>;

/** One scale for everything. */
export const constant = (whole: number): Scale => ({ whole, rows: [], blocks: {} });

/** A checked scale with its defaults filled in. @throws RequestError */
export function resolveScale(input: ScaleInput): Scale {
  if (typeof input === "string") return parseScale(input);
  return parseRequest(scaleSchema, typeof input === "number" ? { whole: input } : input, "adapter scale");
}

/** The scale in a row of the plan, for the layers of a block and a sample. */
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

/** Is the scale 0 in every row? Then the adapter has no effect on any sample. */
export const isZero = ({ whole, rows }: Scale): boolean =>
  rows.length === 0 ? whole === 0 : rows.every((r) => r.scale === 0);

/** The block of a layer. */
export const blockOf = (layer: string): Block => {
  const [, block] = /^(down|mid|up)_block/.exec(layer) ?? [];
  return BLOCKS.find((b) => b === block) ?? "other";
};

const NUMBER = "[-+]?\\d*\\.?\\d+(?:e[-+]?\\d+)?";

/**
 * Reads a scale as `--lora FILE:…` takes it: "0.8", "0@0-1,0.8@2-3" (rows of the plan), or "down=0,mid=1,up=0.5" (blocks of the UNet).
 * @throws RequestError
 */
export function parseScale(text: string): Scale {
  const refuse = (): never => {
    throw new RequestError(
      `"${text}" is no scale; write a number (0.8), rows of the plan (0@0-1,0.8@2-3), or parts of the UNet (down=0,mid=1,up=0.5)`,
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
