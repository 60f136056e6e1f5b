/** Process numbers: which of them run, and who counts them. */
import { readlinkSync } from "node:fs";
import { codeOf } from "../errors.js";

/** True for the number of a process that runs here. */
export function isAlive(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

/** Names the set of process numbers that this process sees. Containers of one machine, which may share its host name, have their own. */
export const NAMESPACE = namespace();

function namespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return process.platform;
  }
}
