/** `variegate adapter`: what an adapter is, the same in another dialect, and merged into a model. */
import {
  type AdapterReference,
  adapterFacts,
  adapterTensors,
  type Dialect,
  layersIn,
  mergeAdapters,
  openAdapter,
  openPair,
  type PairReference,
  RequestError,
  safetensors,
  writeWhole,
} from "../index.js";
import { type Terminal, table } from "./terminal.js";

/** Prints what a file is and what it does to the pair's base. */
export async function runInspect(terminal: Terminal, models: PairReference, file: string): Promise<void> {
  const pair = await openPair(models);
  try {
    const facts = adapterFacts(await openAdapter(pair, file, { allowUnmatched: true }));
    const fits = facts.unmatched.length === 0;
    terminal.emit({ type: "adapter", ...facts, model: pair.base.ref, fits });
    const kinds = Object.entries(facts.kinds).map(([kind, n]) => `${n} × ${kind}`);
    const alphas = facts.alphas.slice(0, 6).map((a) => (a === null ? "none" : String(a)));
    terminal.say(`${facts.file}: ${kinds.join(", ") || "nothing for this model"} · ${facts.dialects.join(", ")}`);
    terminal.say(
      `rank ${facts.ranks ? [...new Set(facts.ranks)].join(" to ") : "–"} · alpha ${alphas.join(", ") || "–"} · ${facts.parameters} numbers`,
    );
    terminal.say("");
    if (facts.targets.length > 0) {
      terminal.say(
        table([
          ["part", "layers", "down", "mid", "up", "other"],
          ...facts.targets.map(({ part, layers, blocks }) => [
            part,
            ...[layers, blocks.down, blocks.mid, blocks.up, blocks.other].map(String),
          ]),
        ]),
      );
      terminal.say("");
    }
    const left = fits
      ? "every key belongs to it"
      : `${facts.unmatched.length} keys do not: ${facts.unmatched.slice(0, 3).join(", ")}`;
    terminal.say(`on ${pair.base.ref}: ${left}; ${facts.untouched} layers stay as they are`);
  } finally {
    await pair.close();
  }
}

/** Writes the adapter in another dialect. */
export async function runConvert(
  terminal: Terminal,
  models: PairReference,
  file: string,
  to: Dialect,
  out: string,
): Promise<void> {
  if (!/\.safetensors$/i.test(out))
    throw new RequestError(`--out ${out}: the new file's name must end in .safetensors`);
  const pair = await openPair(models);
  try {
    const tensors = adapterTensors(await openAdapter(pair, file), to, await layersIn(pair));
    await writeWhole(out, safetensors(tensors, { format: "pt" }));
    terminal.emit({ type: "converted", file, to, out, tensors: Object.keys(tensors).length });
    terminal.say(out);
  } finally {
    await pair.close();
  }
}

/** Writes a model that has the adapters in its weights. */
export async function runMerge(
  terminal: Terminal,
  base: string,
  adapters: readonly AdapterReference[],
  out: string,
): Promise<void> {
  if (adapters.length === 0) throw new RequestError("nothing to merge: name adapters with --lora FILE[:scale]");
  const progress = terminal.progress(1, "opening");
  const merged = await mergeAdapters(base, adapters, out, (done, total) => progress.update(done / total, "merging"));
  progress.stop();
  terminal.emit({ type: "merged", ...merged });
  for (const { part, layers } of merged.parts) terminal.say(`${part}: ${layers} layers changed`);
  terminal.say(merged.folder);
}
