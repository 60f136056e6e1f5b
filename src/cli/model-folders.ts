/** `variegate models list --comfy DIR`: what is in the folders of other programs, by kind. */

import { inspectModelFolders, type ListedModel } from "../inspect/index.js";
import type { ModelFolder } from "../lookup/index.js";
import { formatBytes } from "../tensor/index.js";
import { type Progress, type Terminal, table } from "./terminal.js";
import { millions } from "./words.js";

/** Letters of what a thing is; --json has all of them. */
const WIDEST = 72;

/** Prints every model of the trees with what it is. */
export async function runModelFolders(terminal: Terminal, modelFolders: readonly ModelFolder[]): Promise<void> {
  let progress: Progress | undefined;
  const began = performance.now();
  const items: ListedModel[] = [];
  for await (const item of inspectModelFolders(modelFolders, (done, total) => {
    // Heads are read in no time, unless a disk is slow.
    if (performance.now() - began > 1000) progress ??= terminal.progress(total, "looking");
    progress?.update(done, "looking");
  })) {
    terminal.emit({ type: "model", ...item });
    items.push(item);
  }
  progress?.stop();
  const head = ["kind", "name", "what it is", "parameters", "bytes", "stored as", "runs"];
  terminal.say(
    table([
      head,
      ...items.map((item) => [
        item.category,
        item.name,
        item.about.length > WIDEST ? `${item.about.slice(0, WIDEST - 1)}…` : item.about,
        item.parameters === null ? "" : millions(item.parameters),
        item.bytes === null ? "" : formatBytes(item.bytes),
        item.dtypes.join(", "),
        item.runs ? "yes" : "no",
      ]),
    ]),
  );
  terminal.say("");
  terminal.say(
    "A name here is what --base, --distilled, --lora, --decoder and the others take, or a part of it that no other has.",
  );
}
