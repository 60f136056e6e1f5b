/** ONNX Runtime sessions of a worker by id, and the inputs kept for each. Answers requests. Independent of the platform. */
import type * as common from "onnxruntime-common";
import type { Tensor } from "../tensor/index.js";
import { feedProblem, type InputFacts, missingInputs } from "./feeds.js";
import type { Answer, Request } from "./protocol.js";

type Ort = Pick<typeof common, "InferenceSession" | "Tensor">;
type LoadRequest = Extract<Request, { kind: "load" }>;

/** A build of ONNX Runtime. */
export interface OrtBuild {
  readonly ort: Ort;
  /** Session options for a request. @throws Error when the build does not have its device */
  options(request: LoadRequest): common.InferenceSession.SessionOptions;
}

/** A loaded model. */
interface Loaded {
  readonly ort: Ort;
  readonly session: common.InferenceSession;
  readonly inputs: readonly InputFacts[];
  /** Inputs kept between runs, by the name of their set. */
  readonly held: Map<string, Readonly<Record<string, common.Tensor>>>;
}

const toOrt = (ort: Ort, t: Tensor): common.Tensor =>
  t.dtype === "float32"
    ? new ort.Tensor("float32", t.data, t.shape)
    : t.dtype === "float64"
      ? new ort.Tensor("float64", t.data, t.shape)
      : new ort.Tensor("int64", t.data, t.shape);

const asOrt = (ort: Ort, tensors: Readonly<Record<string, Tensor>>): Record<string, common.Tensor> =>
  Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, toOrt(ort, t)]));

function fromOrt(t: common.Tensor): Tensor {
  if (t.data instanceof Float32Array) return { dtype: "float32", shape: t.dims, data: t.data };
  if (t.data instanceof BigInt64Array) return { dtype: "int64", shape: t.dims, data: t.data };
  if (t.data instanceof Float64Array) return { dtype: "float64", shape: t.dims, data: t.data };
  throw new TypeError(`an output has type ${t.type}; expected float32, float64 or int64`);
}

/** Messages of ONNX Runtime for an invalid model. */
const INVALID_MODEL = /protobuf parsing failed|invalid model|^Type Error|ShapeInferenceError/i;

const refused = (message: string): Answer => ({ kind: "refused", message });
const released = (id: number): Answer => refused(`session ${id} was released`);

const inputsOf = ({ inputMetadata }: common.InferenceSession): InputFacts[] =>
  inputMetadata.flatMap((input) =>
    input.isTensor ? [{ name: input.name, dtype: input.type, shape: input.shape }] : [],
  );

/**
 * Answers requests with sessions of its own.
 * @param build the build of ONNX Runtime for a request, which may have to be loaded
 * @returns a function that answers a request, and throws ONNX Runtime's error when the device fails
 */
export function answering(build: (request: LoadRequest) => Promise<OrtBuild>): (request: Request) => Promise<Answer> {
  const sessions = new Map<number, Loaded>();
  let serial = 0;
  const answers: {
    readonly [K in Request["kind"]]: (request: Extract<Request, { kind: K }>) => Promise<Answer>;
  } = {
    async load(request) {
      const { ort, options } = await build(request);
      try {
        const session = await ort.InferenceSession.create(request.bytes.model, options(request));
        sessions.set(++serial, { session, inputs: inputsOf(session), held: new Map(), ort });
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
      const all = { ...held, ...asOrt(loaded.ort, feeds) };
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
      loaded.held.set(name, asOrt(loaded.ort, tensors));
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
  return <K extends Request["kind"]>(request: Extract<Request, { kind: K }>): Promise<Answer> => {
    const kind: K = request.kind;
    return answers[kind](request);
  };
}
