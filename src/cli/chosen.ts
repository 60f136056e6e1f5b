/** Runs with a choice of seeds: their request without the choice, which makes the kept seeds again, and the seeds that a folder's log has. */
import { type GenerateEvent, type GenerateRequest, type SampleKey, seedsToRun } from "../generate/index.js";
import type { RunFolder } from "./run-folder.js";

/** Kept seeds by prompt. */
export type KeptSeeds = ReadonlyMap<number, readonly number[]>;

/** A request without its choice, with all seeds to choose from. */
export function withoutChoice(request: GenerateRequest): GenerateRequest {
  const { choose: _c, chooseBy: _b, chooseFit: _f, choosePrune: _p, ...plain } = request;
  return request.choose ? { ...plain, seeds: seedsToRun(request) } : request;
}

/** Samples of a request: those that it lists, else every prompt with every seed. */
export const samplesOf = ({ prompts, seeds = [0], samples }: GenerateRequest): readonly SampleKey[] =>
  samples ?? prompts.flatMap((_, prompt) => [...new Set(seeds)].map((seed) => ({ prompt, seed })));

/** The request for the kept seeds of each prompt. */
export function requestForKept(request: GenerateRequest, kept: KeptSeeds): GenerateRequest {
  const plain = withoutChoice(request);
  const of = (prompt: number) => kept.get(prompt) ?? [];
  const seeds = (plain.seeds ?? [0]).filter((seed) => [...kept.values()].some((own) => own.includes(seed)));
  const samples = plain.prompts.flatMap((_, prompt) => of(prompt).map((seed) => ({ prompt, seed })));
  return { ...plain, seeds, samples };
}

/** Samples of the prompts for which no choice is logged: all seeds to choose from. */
export const undecided = (request: GenerateRequest, kept: KeptSeeds): readonly SampleKey[] =>
  samplesOf(withoutChoice(request)).filter(({ prompt }) => !kept.has(prompt));

/** Logs the last choice of a prompt, and adds it to `kept`. */
export function keepChoice(
  { log }: Pick<RunFolder, "log">,
  { choose }: GenerateRequest,
  event: GenerateEvent,
  kept: Map<number, readonly number[]>,
): void {
  if (event.type !== "chosen" || event.seeds.length !== choose?.keep) return;
  const { prompt, seeds } = event;
  kept.set(prompt, seeds);
  log({ type: "chosen", prompt, seeds });
}

/** How the seeds of a run are chosen, for its records; nothing for a run without a choice. */
export const choiceOf = (request: GenerateRequest) =>
  request.choose
    ? {
        choice: {
          ...request.choose,
          by: request.chooseBy,
          fit: request.chooseFit,
          prune: request.choosePrune,
          from: seedsToRun(request),
        },
      }
    : {};
