import { defineConfig } from "vitest/config";

/** Files that need a process of their own: they replace a module of Node, or measure the memory or the native libraries of the process. */
const ALONE = [
  "test/files/lock.test.ts",
  "test/generate/{concurrency,memory}.test.ts",
  "test/runtime/node/*.test.ts",
  "test/train/recompute.test.ts",
];

/** Options of every project: those of the root, such as --maxWorkers, would be fixed for a project that extended it. */
const common = {
  // onnxruntime-node checks for Float32Array of its own realm: only process forks keep one realm.
  pool: "forks",
  // Plans of tests do not follow from calibrations of this machine's user.
  env: { VARIEGATE_CALIBRATIONS: "no-calibrations.json" },
  // Tests start the compiled program and its model worker.
  globalSetup: ["scripts/build.js"],
  setupFiles: ["test/support/process-state.ts"],
  // A hang costs half a minute. Suites that take longer on a slow or busy machine set their own limit.
  testTimeout: 30_000,
  hookTimeout: 60_000,
} as const;

export default defineConfig({
  test: {
    // One process fewer than there are cores, Vitest's default, leaves half of a machine of two idle.
    maxWorkers: "100%",
    projects: [
      // Files share a process: one for each would load the library 280 times, a tenth of the time of all tests.
      { test: { ...common, name: "shared", isolate: false, include: ["test/**/*.test.ts"], exclude: ALONE } },
      { test: { ...common, name: "alone", include: ALONE } },
    ],
  },
});
