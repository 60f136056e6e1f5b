/** The thread in which models run: ONNX Runtime blocks its thread, so it gets one of its own. Holds the sessions, knows nothing else. */
import { parentPort } from "node:worker_threads";
import * as ort from "onnxruntime-node";
import type { Tensor } from "../../tensor/index.js";
import type { Answer, Numbered, Request } from "../protocol.js";

// What goes wrong comes back as an error; ONNX Runtime would print it as well.
ort.env.logLevel = "fatal";

const sessions = new Map<number, ort.InferenceSession>();
const held = new Map<number, Map<string, Readonly<Record<string, ort.Tensor>>>>();
let serial = 0;

const toOrt = (t: Tensor): ort.Tensor =>
  t.dtype === "float32"
    ? new ort.Tensor("float32", t.data, t.shape)
    : t.dtype === "float64"
      ? new ort.Tensor("float64", t.data, t.shape)
      : new ort.Tensor("int64", t.data, t.shape);

const asOrt = (tensors: Readonly<Record<string, Tensor>>): Record<string, ort.Tensor> =>
  Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, toOrt(t)]));

function fromOrt(t: ort.Tensor): Tensor {
  if (t.data instanceof Float32Array) return { dtype: "float32", shape: t.dims, data: t.data };
  if (t.data instanceof BigInt64Array) return { dtype: "int64", shape: t.dims, data: t.data };
  if (t.data instanceof Float64Array) return { dtype: "float64", shape: t.dims, data: t.data };
  throw new TypeError(`a model gave ${t.type}; only float32, float64 and int64 leave a graph`);
}

const session = (id: number): ort.InferenceSession => {
  const found = sessions.get(id);
  if (!found) throw new Error(`session ${id} was released`);
  return found;
};

/** Casts of weights stay in the graph, but for the small ones. */
const KEEP_NARROW = {
  constant_folding_max_output_size_in_bytes: "65536",
  disable_specified_optimizers: "FuseFp16InitializerToFp32NodeTransformer",
};

const answers: {
  readonly [K in Request["kind"]]: (request: Extract<Request, { kind: K }>) => Promise<Answer>;
} = {
  async load({ bytes: { model, folder, buffers, packed }, device, threads, widen }) {
    // ONNX Runtime would quietly go on without a provider that it was not built with.
    if (!ort.listSupportedBackends().some(({ name }) => name === device)) {
      throw new Error(`backend not found: this build of ONNX Runtime has no ${device}`);
    }
    const created = await ort.InferenceSession.create(model, {
      executionProviders: [device],
      intraOpNumThreads: threads,
      logSeverityLevel: 3,
      // The plan that ONNX Runtime makes after a first call is one block beside what that call took: twice the memory for no time
      // (measured on SDXL's decoder: docs/memory.md).
      enableMemPattern: false,
      externalData: buffers.map(({ path, data }) => ({ path, data })),
      extra: {
        session: {
          // Packing copies every matrix; at the sizes of these models the mapped pages are as fast (measured: npm run bench),
          // except where whole numbers are multiplied.
          disable_prepacking: packed ? "0" : "1",
          // Threads that spin while they wait take the processor from the next session: with the base, the distilled
          // model and the decoder in turn, a picture took up to three times as long (measured: npm run bench).
          "intra_op.allow_spinning": "0",
          ...(folder !== null && { model_external_initializers_file_folder_path: folder }),
        },
        ...(widen === "call" && { optimization: KEEP_NARROW }),
      },
    });
    sessions.set(++serial, created);
    return { kind: "loaded", session: serial };
  },
  async run(request) {
    const feeds = { ...held.get(request.session)?.get(request.held ?? ""), ...asOrt(request.feeds) };
    const start = performance.now();
    const results = await session(request.session).run(feeds);
    const milliseconds = performance.now() - start;
    const outputs = Object.fromEntries(Object.entries(results).map(([name, t]) => [name, fromOrt(t)]));
    return { kind: "ran", outputs, milliseconds };
  },
  async hold(request) {
    const sets = held.get(request.session) ?? new Map<string, Readonly<Record<string, ort.Tensor>>>();
    held.set(request.session, sets.set(request.name, asOrt(request.tensors)));
    return { kind: "held" };
  },
  async drop(request) {
    held.get(request.session)?.delete(request.name);
    return { kind: "dropped" };
  },
  async release(request) {
    await session(request.session).release();
    held.delete(request.session);
    sessions.delete(request.session);
    return { kind: "released" };
  },
};

function answer<K extends Request["kind"]>(request: Extract<Request, { kind: K }>): Promise<Answer> {
  const kind: K = request.kind;
  return answers[kind](request);
}

parentPort?.on("message", async ({ id, ...request }: Numbered<Request>) => {
  let reply: Answer;
  try {
    reply = await answer(request);
  } catch (error) {
    reply = { kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
  const moved = reply.kind === "ran" ? Object.values(reply.outputs).map((t) => t.data.buffer as ArrayBuffer) : [];
  parentPort?.postMessage({ id, ...reply } satisfies Numbered<Answer>, moved);
});
