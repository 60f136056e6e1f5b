/** Shows downloads and weight preparation on the terminal. */
import type { DownloadEvent, DownloadOptions } from "../hub/index.js";
import type { OpenOptions } from "../open/index.js";
import { counted, formatBytes } from "../tensor/index.js";
import { interrupted } from "./interrupt.js";
import { preparing } from "./preparing.js";
import type { Progress, Terminal } from "./terminal.js";

/** Options for opening models: downloads and preparation are shown on the terminal, and `signal` aborts them. */
export function fetching(
  terminal: Terminal,
  signal: AbortSignal = interrupted,
): DownloadOptions & Pick<OpenOptions, "onPrepare" | "onMeasure"> {
  let bar: Progress | undefined;
  let left = 0;
  const show: { readonly [T in DownloadEvent["type"]]: (event: Extract<DownloadEvent, { type: T }>) => void } = {
    "fetch-plan": ({ repository, commit, files, bytes, missing, cache }) => {
      const there = missing < bytes ? `, ${formatBytes(bytes - missing)} of it cached` : "";
      terminal.warn(
        `downloading ${repository} (commit ${commit.slice(0, 7)}): ${counted(files.length, "file")}, ${formatBytes(bytes)}${there}, into ${cache}`,
      );
      left = files.filter((file) => file.there < file.bytes).length;
      bar = terminal.progress(bytes, repository, { format: formatBytes, done: bytes - missing });
    },
    "fetch-progress": ({ done, repository, file }) => bar?.update(done, `${repository} ${file}`),
    "fetch-note": ({ text }) => terminal.warn(text),
    fetched: () => {
      left--;
      if (left <= 0) bar?.stop();
    },
  };
  const showAny = <T extends DownloadEvent["type"]>(event: Extract<DownloadEvent, { type: T }>, type: T) =>
    show[type](event);
  return {
    signal,
    onPrepare: preparing(terminal),
    onMeasure: ({ device, compute, done, total }) =>
      terminal.warn(`measuring compute types for this pair, once: ${compute} on ${device} (${done + 1} of ${total})`),
    onDownload(event) {
      terminal.emit(event);
      showAny(event, event.type);
    },
  };
}
