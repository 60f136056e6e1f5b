/** ONNX Runtime sessions of the worker by id, and the inputs kept for each. Answers requests. */
import * as ort from "onnxruntime-node";
import type { Tensor } from "../../tensor/index.js";
import { feedProblem, type InputFacts, missingInputs } from "../feeds.js";
import type { Answer, Request } from "../protocol.js";

// Errors are returned; ONNX Runtime would print them as well. Sessions set the same level.
ort.env.logLevel = "fatal";

/** Prints errors outside of sessions all the same, such as that of a provider whose libraries are missing. */
export function logErrors(): void {
  ort.env.logLevel = "error";
}

/** A loaded model. */
interface Loaded {
  readonly session: ort.InferenceSession;
  readonly inputs: readonly InputFacts[];
  /** Inputs kept between runs, by the name of their set. */
  readonly held: Map<string, Readonly<Record<string, ort.Tensor>>>;
}

const sessions = new Map<number, Loaded>();
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
  throw new TypeError(`an output has type ${t.type}; expected float32, float64 or int64`);
}

/** Messages of ONNX Runtime for an invalid model. */
const INVALID_MODEL = /protobuf parsing failed|invalid model|^Type Error|ShapeInferenceError/i;

const refused = (message: string): Answer => ({ kind: "refused", message });
const released = (id: number): Answer => refused(`session ${id} was released`);

/** Disables constant folding of the casts of weights, except for small ones. */
const KEEP_HALF = {
  constant_folding_max_output_size_in_bytes: "65536",
  disable_specified_optimizers: "FuseFp16InitializerToFp32NodeTransformer",
};

type SessionOptions = ort.InferenceSession.SessionOptions;

const optionsOf = ({ bytes, device, threads, upcast }: Extract<Request, { kind: "load" }>): SessionOptions => ({
  executionProviders: [device],
  intraOpNumThreads: threads,
  logSeverityLevel: 4,
  // After the first call ONNX Runtime would allocate a second block for its memory pattern: twice the memory without a speed-up (measured
  // on SDXL's decoder: docs/memory.md).
  enableMemPattern: false,
  externalData: bytes.buffers.map(({ path, data }) => ({ path, data })),
  extra: {
    session: {
      // Prepacking copies every matrix. For models of this size the mapped pages are as fast (measured: npm run bench), except for
      // int8 matmuls.
      disable_prepacking: bytes.packed ? "0" : "1",
      // Idle threads that spin slow down the next session: with the base, the distilled model and the decoder in turn, an image took up
      // to three times as long (measured: npm run bench).
      "intra_op.allow_spinning": "0",
      ...(bytes.folder !== null && { model_external_initializers_file_folder_path: bytes.folder }),
    },
    ...(upcast === "per-call" && { optimization: KEEP_HALF }),
  },
});

const inputsOf = ({ inputMetadata }: ort.InferenceSession): InputFacts[] =>
  inputMetadata.flatMap((input) =>
    input.isTensor ? [{ name: input.name, dtype: input.type, shape: input.shape }] : [],
  );

const answers: {
  readonly [K in Request["kind"]]: (request: Extract<Request, { kind: K }>) => Promise<Answer>;
} = {
  async load(request) {
    // ONNX Runtime silently ignores an execution provider that it was built without.
    if (!ort.listSupportedBackends().some(({ name }) => name === request.device)) {
      throw new Error(`backend not found: this build of ONNX Runtime has no ${request.device}`);
    }
    try {
      const session = await ort.InferenceSession.create(request.bytes.model, optionsOf(request));
      sessions.set(++serial, { session, inputs: inputsOf(session), held: new Map() });
      return { kind: "loaded", session: serial };
    } catch (error) {
      if (error instanceof Error && INVALID_MODEL.test(error.message)) return refused(error.message);
      throw error;
    }
  },
  async run({ session: id, feeds, held: name }) {
    const loaded = sessions.get(id);
    if (!loaded) return released(id);
    const held = name === null ? {} : loaded.held.get(name);
    if (!held) return refused(`no inputs are kept under ${name}`);
    const problem = feedProblem(loaded.inputs, feeds) ?? missingInputs(loaded.inputs, feeds, held);
    if (problem) return refused(problem);
    const all = { ...held, ...asOrt(feeds) };
    const start = performance.now();
    const results = await loaded.session.run(all);
    const milliseconds = performance.now() - start;
    const outputs = Object.fromEntries(Object.entries(results).map(([name, t]) => [name, fromOrt(t)]));
    return { kind: "ran", outputs, milliseconds };
  },
  async hold({ session: id, name, tensors }) {
    const loaded = sessions.get(id);
    if (!loaded) return released(id);
    const problem = feedProblem(loaded.inputs, tensors);
    if (problem) return refused(problem);
    loaded.held.set(name, asOrt(tensors));
    return { kind: "held" };
  },
  async drop({ session, name }) {
    sessions.get(session)?.held.delete(name);
    return { kind: "dropped" };
  },
  async release({ session: id }) {
    const loaded = sessions.get(id);
    if (!loaded) return released(id);
    sessions.delete(id);
    await loaded.session.release();
    return { kind: "released" };
  },
};

/** Answers a request. @throws Error with ONNX Runtime's message when the device fails */
export function answer<K extends Request["kind"]>(request: Extract<Request, { kind: K }>): Promise<Answer> {
  const kind: K = request.kind;
  return answers[kind](request);
}
