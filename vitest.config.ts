import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // onnxruntime-node checks for Float32Array of its own realm: only process forks keep one realm.
    pool: "forks",
    // One process fewer than there are cores, Vitest's default, leaves half of a machine of two idle.
    maxWorkers: "100%",
    // Plans of tests do not follow from calibrations of this machine's user.
    env: { VARIEGATE_CALIBRATIONS: "no-calibrations.json" },
    include: ["test/**/*.test.ts"],
    // Tests start the compiled program and its model worker.
    globalSetup: ["scripts/build.js"],
    // A hang costs half a minute. Suites that take longer on a slow or busy machine set their own limit.
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
