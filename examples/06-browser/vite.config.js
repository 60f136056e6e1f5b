// In a project of your own: publicDir is a folder with a copy of node_modules/variegate/embedded.
import { cpSync, createReadStream, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const models = fileURLToPath(new URL("../../embedded", import.meta.url));

/** Headers with which WebAssembly runs in several threads. */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

const serveModels = {
  name: "models",
  configureServer(server) {
    server.middlewares.use("/embedded", ({ url }, response, next) => {
      const file = `${models}${new URL(url, "http://localhost").pathname}`;
      if (statSync(file, { throwIfNoEntry: false })?.isFile()) createReadStream(file).pipe(response);
      else next();
    });
  },
  writeBundle: ({ dir }) => cpSync(models, `${dir}/embedded`, { recursive: true }),
};

export default {
  base: "./",
  plugins: [serveModels],
  server: { headers },
  preview: { headers },
  build: { target: "es2022" },
  // The development server would bundle the worker away.
  optimizeDeps: { exclude: ["variegate", "onnxruntime-web"] },
};
