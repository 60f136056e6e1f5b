/**
 * Moves adapters that `variegate train` made to the models that they were not trained on: two sliders and two LoRAs, each trained on the base and
 * on the distilled model of the embedded pair, in Table 1 of the paper. Goes on where it was stopped; report.md and report.html are in the folder.
 *
 *     node scripts/transfer.js [folder, default out/transfer]
 *
 * Fixed before it was run: all training options are the defaults of the commands, with seed 0; the LoRAs learn from 16 images of the base, under a
 * caption that leaves out what they show; every adapter acts at scale 1. The prompts are the first eight of the pair's list that leave open what the
 * adapters change. A first run took those of Table 1, most of which name a colour: docs/training.md tells what it gave.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { paperExperiment } from "variegate/experiments";
import { variegate } from "./program.js";
import { worldPrompts } from "./world-prompts.js";

const out = path.resolve(process.argv[2] ?? fileURLToPath(new URL("../out/transfer", import.meta.url)));
mkdirSync(out, { recursive: true });

const noun = "a cartoon character";
const slider = (name, positive, negative, reads) => ({ name, kind: "slider", positive, negative, reads });
const lora = (name, shows, reads) => ({ name, kind: "lora", positive: shows, reads });
const ADAPTERS = [
  slider("smile", "a smiling cartoon character", "a sad cartoon character", "smile"),
  slider("eye-size", "a cartoon character with big eyes", "a cartoon character with small eyes", "eye_size"),
  lora("red", "a red cartoon character", "color=red"),
  lora("crown", "a cartoon character wearing a crown", "hat=crown"),
];

/** Trains an adapter, unless it is there. @returns its file */
function trained({ name, kind, positive, negative }, on) {
  const folder = path.join(out, `${name}.${on}`);
  const file = path.join(folder, `${kind}.safetensors`);
  if (existsSync(file)) return file;
  const shared = ["--on", on, "--out", folder, ...(existsSync(folder) ? ["--resume"] : [])];
  if (kind === "slider") {
    variegate("train", "slider", "--concept", noun, "--positive", positive, "--negative", negative, ...shared);
    return file;
  }
  const images = path.join(out, `${name}.images`);
  const made = existsSync(images) ? ["--resume"] : [];
  variegate("generate", positive, "--mode", "base", "--seeds", "0-15", "--out", images, ...made);
  variegate("train", "lora", images, "--caption", noun, ...shared);
  return file;
}

const controls = ADAPTERS.flatMap((adapter) =>
  ["base", "distilled"].map((on) => ({
    name: `${adapter.name} (${on})`,
    ref: trained(adapter, on),
    scale: 1,
    concept: adapter.positive,
    reads: adapter.reads,
  })),
);
const NAMED = [
  ...["sad", "calm", "smiling", "small eyes", "medium eyes", "big eyes", "hat", "cap", "crown"],
  ...["red", "orange", "yellow", "green", "blue", "purple", "pink", "white"],
];
const isOpen = (prompt) => !NAMED.some((word) => new RegExp(`\\b${word}\\b`).test(prompt));
const prompts = worldPrompts()
  .filter(isOpen)
  .map((prompt) => ({ prompt, seed: 0 }));
const definition = path.join(out, "transfer.json");
writeFileSync(
  definition,
  JSON.stringify({
    ...paperExperiment("table1", { prompts, controls }),
    name: "transfer",
    title: "Adapters trained here, on the model they were trained on and on the others",
  }),
);
variegate("experiment", "run", definition, "--out", path.join(out, "results"), "--resume");
