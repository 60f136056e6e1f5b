/** How strongly an adapter acts: one number, or one for stretches of the plan's rows, or one for each part of the UNet. */
import { RequestError } from "../errors.js";

/** Where a layer stands in a UNet; text encoders and the layers outside the blocks are "other". */
export const BLOCKS = ["down", "mid", "up", "other"] as const;
export type Block = (typeof BLOCKS)[number];

export interface Scale {
  /** Where no rows are listed. */
  readonly whole: number;
  /** Rows of the plan, counted from 0, ends included; a row that no stretch names takes 0. Empty: `whole` for all. */
  readonly rows: readonly { readonly from: number; readonly to: number; readonly scale: number }[];
  /** Factors on top; 1 where nothing is said. */
  readonly blocks: Readonly<Partial<Record<Block, number>>>;
}

export const constant = (whole: number): Scale => ({ whole, rows: [], blocks: {} });

/** The scale in a row of the plan, for the layers of a block. */
export function scaleAt({ whole, rows, blocks }: Scale, row: number, block: Block): number {
  const here = rows.length === 0 ? whole : (rows.find((r) => row >= r.from && row <= r.to)?.scale ?? 0);
  return here * (blocks[block] ?? 1);
}

export const blockOf = (layer: string): Block => {
  const [, block] = /^(down|mid|up)_block/.exec(layer) ?? [];
  return BLOCKS.find((b) => b === block) ?? "other";
};

const NUMBER = "[-+]?\\d*\\.?\\d+(?:e[-+]?\\d+)?";

/**
 * "0.8", "0@0-1,0.8@2-3" (rows of the plan), or "down=0,mid=1,up=0.5" (parts of the UNet), as `--lora FILE:…` takes it.
 * @throws RequestError
 */
export function parseScale(text: string): Scale {
  const refuse = (): never => {
    throw new RequestError(
      `"${text}" is no scale; write a number (0.8), rows of the plan (0@0-1,0.8@2-3), or parts of the UNet (down=0,mid=1,up=0.5)`,
    );
  };
  const words = text.split(",").map((word) => word.trim());
  const [first = ""] = words;
  if (words.length === 1 && new RegExp(`^${NUMBER}$`, "i").test(first)) return constant(Number(first));
  if (words.every((word) => word.includes("@"))) {
    const rows = words.map((word) => {
      const [, scale, from, to = from] = new RegExp(`^(${NUMBER})@(\\d+)(?:-(\\d+))?$`, "i").exec(word) ?? refuse();
      return { from: Number(from), to: Number(to), scale: Number(scale) };
    });
    return rows.some((r) => r.to < r.from) ? refuse() : { whole: 0, rows, blocks: {} };
  }
  const blocks = words.map((word) => {
    const [, block, factor] = new RegExp(`^(\\w+)=(${NUMBER})$`, "i").exec(word) ?? refuse();
    return [BLOCKS.find((b) => b === block) ?? refuse(), Number(factor)] as const;
  });
  return { whole: 1, rows: [], blocks: Object.fromEntries(blocks) };
}
