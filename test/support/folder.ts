/** Folders for a test file, removed when it is done. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { atEnd } from "./ending.js";

/** A new, empty folder. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "variegate-test-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
