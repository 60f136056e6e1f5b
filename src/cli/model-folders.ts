/** `variegate models list --comfy DIR`: the models in the folders of other programs, by category. */
import { inspectModelFolders, type ListedModel } from "../inspect/index.js";
import type { ModelFolder } from "../lookup/index.js";
import { formatBytes } from "../tensor/index.js";
import { type Progress, type Terminal, table } from "./terminal.js";
import { millions } from "./units.js";

/** Maximum width of a description; --json prints it in full. */
const WIDEST = 72;

/** Prints every model of the model folders with its description. */
export async function runModelFolders(terminal: Terminal, modelFolders: readonly ModelFolder[]): Promise<void> {
  let progress: Progress | undefined;
  const began = performance.now();
  const items: ListedModel[] = [];
  for await (const item of inspectModelFolders(modelFolders, (done, total) => {
    // Reading headers is fast, except on a slow disk.
    if (performance.now() - began > 1000) progress ??= terminal.progress(total, "reading");
    progress?.update(done, "reading");
  })) {
    terminal.emit({ type: "model", ...item });
    items.push(item);
  }
  progress?.stop();
  const head = ["category", "name", "description", "parameters", "bytes", "stored as", "runs"];
  terminal.print(
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
  terminal.print("");
  terminal.print(
    "--base, --distilled, --lora, --decoder and other options accept these names, or a unique part of one.",
  );
}
