import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // onnxruntime-node checks for Float32Array of its own realm: only process forks keep one realm.
    pool: "forks",
    include: ["test/**/*.test.ts"],
    // Tests start the compiled program and its model worker.
    globalSetup: ["scripts/build.js"],
    testTimeout: 60_000,
  },
});
