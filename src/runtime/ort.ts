/** Runs models with a build of ONNX Runtime: onnxruntime-node, or onnxruntime-web. */
import type * as common from "onnxruntime-common";
import type { Tensor } from "../tensor/index.js";
import type { EngineSession, LoadModel, LoadRequest } from "./sessions.js";

type Ort = Pick<typeof common, "InferenceSession" | "Tensor">;

/** A build of ONNX Runtime. */
export interface OrtBuild {
  readonly ort: Ort;
  /** Session options for a request. @throws Error when the build does not have its device */
  options(request: LoadRequest): common.InferenceSession.SessionOptions;
}

const toOrt = (ort: Ort, t: Tensor): common.Tensor =>
  t.dtype === "float32"
    ? new ort.Tensor("float32", t.data, t.shape)
    : t.dtype === "float64"
      ? new ort.Tensor("float64", t.data, t.shape)
      : new ort.Tensor("int64", t.data, t.shape);

function fromOrt(t: common.Tensor): Tensor {
  if (t.data instanceof Float32Array) return { dtype: "float32", shape: t.dims, data: t.data };
  if (t.data instanceof BigInt64Array) return { dtype: "int64", shape: t.dims, data: t.data };
  if (t.data instanceof Float64Array) return { dtype: "float64", shape: t.dims, data: t.data };
  throw new TypeError(`an output has type ${t.type}; expected float32, float64 or int64`);
}

const mapped = <A, B>(record: Readonly<Record<string, A>>, to: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, to(value)]));

/** Loads models into the build of ONNX Runtime for a request, which may have to be loaded itself. */
export function ortModels(build: (request: LoadRequest) => Promise<OrtBuild>): LoadModel {
  return async (request): Promise<EngineSession> => {
    const { ort, options } = await build(request);
    const session = await ort.InferenceSession.create(request.bytes.model, options(request));
    return {
      run: async (feeds) => mapped(await session.run(mapped(feeds, (t) => toOrt(ort, t))), fromOrt),
      release: () => session.release(),
    };
  };
}
