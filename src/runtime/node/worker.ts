/** The thread in which models run: ONNX Runtime blocks its thread, so it gets one of its own. */
import { parentPort } from "node:worker_threads";
import { serve } from "./serve.js";
import { answer } from "./sessions.js";

if (parentPort) serve(parentPort, answer);
