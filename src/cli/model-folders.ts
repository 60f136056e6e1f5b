/** `variegate models list --comfy DIR`: the models in the folders of other programs, by category. */
import { inspectModelFolders, type ListedModel } from "../inspect/index.js";
import type { ModelFolder } from "../lookup/index.js";
import { formatBytes } from "../tensor/index.js";
import type { Progress, Terminal } from "./terminal.js";
import { millions } from "./units.js";

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
  terminal.table(
    [
      { title: "category", of: (item) => item.category, drop: 3 },
      { title: "name", of: (item) => item.name, text: true },
      { title: "description", of: (item) => item.about, text: true },
      { title: "parameters", of: (item) => (item.parameters === null ? "" : millions(item.parameters)), drop: 2 },
      { title: "bytes", of: (item) => (item.bytes === null ? "" : formatBytes(item.bytes)), drop: 4 },
      { title: "stored as", of: (item) => item.dtypes.join(", "), drop: 1 },
      { title: "runs", of: (item) => (item.runs ? "yes" : "no") },
    ],
    items,
  );
  terminal.print("");
  terminal.print(
    "--base, --distilled, --lora, --decoder and other options accept these names, or a unique part of one.",
  );
}
