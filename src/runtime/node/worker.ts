/** Entry point of the worker that runs models: a thread, since ONNX Runtime blocks the thread that calls it, or a process. */
import { parentPort } from "node:worker_threads";
import { servePort, serveProcess } from "./serve.js";
import { answer, logErrors } from "./sessions.js";

if (parentPort) servePort(parentPort, answer);
else {
  // The parent reads this process's stderr, and quotes there what the loader of a missing library said.
  logErrors();
  serveProcess(process, answer);
}
