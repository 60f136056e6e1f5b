/**
 * Lines that native libraries print on stderr. Neither Dawn, which WebGPU runs on, nor the Vulkan loader has a setting that silences its
 * warnings, and ONNX Runtime names the library that a provider lacks in its log only. Such lines are kept, to be quoted when the device
 * fails; all other lines are printed.
 */
import { stripVTControlCharacters } from "node:util";

/** What a line reports, if it is a warning of Dawn or the Vulkan loader, or an error in ONNX Runtime's log, which is thrown as well. */
const REPORTS = [
  /^Warning: (.*)$/,
  /\[E:onnxruntime:.*\[ONNXRuntimeError\] : \d+ : \w+ : (.*)$/,
  /\[E:onnxruntime:[^\]]*\] (.*)$/,
];
/** Lines below a report: where it happened. */
const BELOW = /^(\s|$)/;
/** Number of reports that are kept. */
const KEPT = 4;

export interface NativeLog {
  /** Takes text as it arrives, in pieces. */
  write(text: string): void;
  /** Takes a last line without an end. */
  end(): void;
  /** The latest reports, oldest first. */
  reports(): readonly string[];
}

export function nativeLog(print: (line: string) => void): NativeLog {
  const reports: string[] = [];
  let rest = "";
  let below = false;
  const take = (coloured: string) => {
    const line = stripVTControlCharacters(coloured);
    const [found] = REPORTS.flatMap((known) => known.exec(line)?.[1] ?? []);
    if (found === undefined) {
      below &&= BELOW.test(line);
      if (!below) print(line);
      return;
    }
    below = true;
    reports.push(found.trim());
    if (reports.length > KEPT) reports.shift();
  };
  return {
    write(text) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) take(line);
    },
    end() {
      if (rest !== "") take(rest);
      rest = "";
    },
    reports: () => reports,
  };
}
