import { defineConfig } from "vitest/config";

// onnxruntime-node checks for Float32Array of its own realm: only process forks keep one realm.
export default defineConfig({ test: { pool: "forks", include: ["test/**/*.test.ts"], testTimeout: 60_000 } });
