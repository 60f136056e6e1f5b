/**
 * Setup of vitest, run for each test file: most files run one after another in the same process, so environment variables, spies and timers
 * of a file are put back when it ends, after its servers, processes and folders.
 */
import { afterAll, vi } from "vitest";
import { endFile } from "./ending.js";

const before = { ...process.env };

afterAll(async () => {
  await endFile();
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  Object.assign(process.env, before);
});
