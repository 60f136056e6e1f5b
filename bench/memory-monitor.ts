/** Peak resident memory of this process, by phase. */
import { readFileSync, writeFileSync } from "node:fs";

/** Milliseconds between samples. */
const INTERVAL = 50;

/** Highest memory of a phase, and its time. */
export interface Peak {
  /** Resident memory including mapped files, in bytes. */
  readonly resident: number;
  /** Resident memory without mapped files, if the system reports it. */
  readonly own: number | null;
  readonly seconds: number;
}

/** Monitors the memory of one phase at a time. */
export interface MemoryMonitor {
  /** Starts a phase. */
  phase(): void;
  peak(): Peak;
  stop(): void;
}

const STATUS = "/proc/self/status";

/** Value in bytes of a line of /proc/self/status; null if there is none. */
function status(key: string): number | null {
  try {
    const found = new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(readFileSync(STATUS, "utf8"));
    return found ? Number(found[1]) * 1024 : null;
  } catch {
    return null;
  }
}

/**
 * Resident memory in bytes, with pages that are mapped several times counted once, as two networks on the same file map them; null where the
 * system does not report it.
 */
export function mappedOnce(): number | null {
  try {
    const found = /^Pss:\s+(\d+) kB/m.exec(readFileSync("/proc/self/smaps_rollup", "utf8"));
    return found ? Number(found[1]) * 1024 : null;
  } catch {
    return null;
  }
}

/** Resets the peak resident memory that Linux records without sampling gaps. False on other systems. */
function resetPeak(): boolean {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
    return true;
  } catch {
    return false;
  }
}

/** Starts to sample the memory of this process. */
export function openMonitor(): MemoryMonitor {
  let [resident, own, since, exact] = [0, 0, 0, false];
  const sample = () => {
    resident = Math.max(resident, process.memoryUsage.rss());
    own = Math.max(own, status("RssAnon") ?? 0);
  };
  const timer = setInterval(sample, INTERVAL);
  return {
    phase() {
      exact = resetPeak();
      [resident, own, since] = [0, 0, performance.now()];
      sample();
    },
    peak() {
      sample();
      const highest = exact ? (status("VmHWM") ?? 0) : 0;
      return {
        resident: Math.max(resident, highest),
        own: own || null,
        seconds: (performance.now() - since) / 1000,
      };
    },
    stop: () => clearInterval(timer),
  };
}
