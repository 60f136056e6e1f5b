/** `worker`, and the options of an experiment on a queue. */
import type { Command } from "commander";
import { z } from "zod";
import { lookupFields, machineFields, modelFields } from "../../open/fields.js";
import { grouped, option } from "../../schema/index.js";
import { addFields, fieldsOf } from "../fields.js";
import { interrupted } from "../interrupt.js";
import { openTerminal } from "../terminal.js";
import { type Given, outputFormatFields, outputFormatOf, withExamples } from "./common.js";

const text = z.string().min(1);

/** Seconds: "2" or "0.5". */
const seconds = (flag: string, about: string) =>
  option(z.number().min(0.2).max(86_400), {
    flag,
    about,
    read: (value) => (value.trim() === "" ? undefined : Number(value)),
    expected: "a number of seconds from 0.2 to 86400",
  });

/** Queue and store that a fleet shares. */
export const placeFields = grouped("fleet", {
  queue: option(text, {
    flag: "--queue <url>",
    env: "VARIEGATE_QUEUE",
    about: "redis://[user:password@]host[:port], rediss:// with TLS, or a folder on this machine",
  }),
  store: option(text, {
    flag: "--store <url>",
    env: "VARIEGATE_STORE",
    about: "where results are kept: s3://bucket[/prefix], or a folder that all workers share",
  }),
} as const);

/** Options of an experiment on a queue. */
export const fleetFields = grouped("fleet", {
  ...placeFields,
  as: option(z.string().regex(/^[\w-]+$/, "expected letters, digits and dashes"), {
    flag: "--as <name>",
    about: "name of the experiment on the queue (default: its own)",
    expected: "letters, digits and dashes",
  }),
  lease: seconds(
    "--lease <seconds>",
    "time within which the cell of a worker that died is given to another (default: 60)",
  ),
  attempts: option(z.int().min(1).max(100), {
    flag: "--attempts <n>",
    about: "number of failures after which a cell is set aside (default: 3)",
  }),
  backoff: seconds("--backoff <seconds>", "wait before a failed cell is tried again, doubled each time (default: 5)"),
} as const);

const { pair: _pair, pairs, base, distilled } = modelFields;
const { memoryBudget: _budget, upcast: _upcast, ...machine } = machineFields;

/** Models that are at another place on this machine. */
const workerModels = {
  ...lookupFields,
  pairs,
  base,
  distilled,
  clip: option(text, { flag: "--clip <ref>", group: "models", about: "CLIPModel folder" }),
  dreamsim: option(text, { flag: "--dreamsim <ref>", group: "models", about: "DreamSim" }),
  inception: option(text, { flag: "--inception <file>", group: "models", about: "Inception-v3" }),
  ...machine,
} as const;

const workerFields = grouped("task", {
  concurrency: option(z.int().min(1).max(64), {
    flag: "--concurrency <n>",
    about: "number of processes that take cells, each with models of its own (default: 1)",
  }),
  untilDone: option(z.boolean(), {
    flag: "--until-done",
    about: "end when the queue has nothing left to do (default: wait for more)",
  }),
} as const);

export function addWorker(command: Command): void {
  for (const fields of [workerFields, placeFields, workerModels, outputFormatFields]) addFields(command, fields);
  withExamples(
    command,
    "variegate worker --queue out/queue --store out/store --until-done",
    "variegate worker --queue redis://10.0.0.5:6379 --store s3://bucket/experiments",
  ).action(async (given: Given) => {
    const { runWorker } = await import("../fleet.js");
    const options = { ...fieldsOf(workerFields, given), ...fieldsOf(placeFields, given) };
    await runWorker(openTerminal(outputFormatOf(given)), fieldsOf(workerModels, given), options, interrupted);
  });
}
