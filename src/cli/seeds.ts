/** Seeds of a run by number, or drawn at random. Requests hold the list of seeds, so that a run can be repeated. */
import { randomInt } from "node:crypto";
import { z } from "zod";
import { RequestError } from "../errors.js";
import { grouped, type InputOf, option } from "../schema/index.js";
import type { Terminal } from "./terminal.js";

/** Random seeds are below this number, as in other tools. */
const SEEDS = 2 ** 32;

export const seedFields = grouped("seeds", {
  count: option(z.int().min(1).max(100_000), {
    flag: "-n, --count <n>",
    aliases: ["--num-images", "--num-images-per-prompt", "--n-samples", "--n-iter"],
    about: "number of seeds, counted from the one of --seeds (default: from 0)",
  }),
  randomSeeds: option(z.boolean(), {
    flag: "--random-seeds",
    about: "draw the seeds at random; they are printed, and recorded in run.json",
  }),
} as const);

/**
 * Seeds that the options ask for; undefined without any of them. Prints random ones.
 * @param usual number of random seeds without --count
 * @throws RequestError for options that exclude each other
 */
export function seedsOf(
  { warn }: Pick<Terminal, "warn">,
  { count, randomSeeds = false }: InputOf<typeof seedFields>,
  {
    seeds,
    usual,
    resume = false,
  }: { readonly seeds?: readonly number[]; readonly usual: number; readonly resume?: boolean },
): readonly number[] | undefined {
  if (randomSeeds && seeds) throw new RequestError("--random-seeds and --seeds exclude each other", { field: "seeds" });
  if (randomSeeds && resume) {
    throw new RequestError(
      "--resume needs the seeds of the run: name those of its run.json or events.jsonl with --seeds",
    );
  }
  if (randomSeeds) {
    const drawn = new Set<number>();
    while (drawn.size < (count ?? usual)) drawn.add(randomInt(SEEDS));
    const list = [...drawn];
    warn(`random seeds: --seeds ${list.join(",")} generates the same images again`);
    return list;
  }
  if (count === undefined) return seeds;
  const [first = 0, ...more] = seeds ?? [];
  if (more.length > 0) {
    throw new RequestError(
      `--count ${count} counts from one seed, and --seeds names ${more.length + 1}; leave one out`,
      {
        field: "seeds",
      },
    );
  }
  return Array.from({ length: count }, (_, i) => first + i);
}
