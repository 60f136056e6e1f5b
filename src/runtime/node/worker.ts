/** Entry point of the worker thread that runs models, since ONNX Runtime blocks the thread that calls it. */
import { parentPort } from "node:worker_threads";
import { serve } from "./serve.js";
import { answer } from "./sessions.js";

if (parentPort) serve(parentPort, answer);
