/** Entry point of the worker that runs models in a browser. Its first message names ONNX Runtime's files; requests follow. */

import { ortModels } from "../ort.js";
import type { Answer, Numbered, Request } from "../protocol.js";
import { moved, reply } from "../serve.js";
import { answering } from "../sessions.js";
import type { Start } from "./files.js";
import { loadOrt } from "./ort.js";
import { watchMemory } from "./wasm-memory.js";

declare const self: DedicatedWorkerGlobalScope;

// ONNX Runtime's threads are workers of this file where a bundler has put both into one, as Vite does by default: the build then takes over.
if (self.name.startsWith("em-pthread")) void import("onnxruntime-web/wasm");
else {
  self.addEventListener(
    "message",
    ({ data: start }: MessageEvent<Start>) => {
      const memory = watchMemory();
      const build = loadOrt(start);
      // The first request reports the failure.
      build.catch(() => {});
      const answer = answering(ortModels(() => build));
      self.addEventListener("message", ({ data: request }: MessageEvent<Numbered<Request>>) => {
        const send = (message: Numbered<Answer>) => self.postMessage(message, moved(message));
        void reply(request, answer, send, memory);
      });
    },
    { once: true },
  );
}
