/** Runs models with OpenVINO on the processor: the same ONNX models as ONNX Runtime's, compiled in float32 or bfloat16. */
import { BYTES, type Tensor } from "../../../tensor/index.js";
import type { PortFacts } from "../../runtime.js";
import type { EngineSession, LoadModel, LoadRequest } from "../../sessions.js";
import { loadOpenVino, type OpenVino, type Pointer } from "./library.js";

const DEVICE = "CPU";

/** Tensors over the bytes of their values, in one type each. */
const TENSORS: { readonly [D in Tensor["dtype"]]: (shape: readonly number[], bytes: ArrayBuffer) => Tensor } = {
  float32: (shape, bytes) => ({ dtype: "float32", shape, data: new Float32Array(bytes) }),
  float64: (shape, bytes) => ({ dtype: "float64", shape, data: new Float64Array(bytes) }),
  int64: (shape, bytes) => ({ dtype: "int64", shape, data: new BigInt64Array(bytes) }),
};

/** OpenVINO's names of compute types. */
const HINTS = { float32: "f32", bfloat16: "bf16" } as const;

/** Loads models into OpenVINO, which is loaded for the first. */
export function openVinoModels(): LoadModel {
  let core: { readonly ov: OpenVino; readonly pointer: Pointer } | undefined;
  return async (request) => {
    if (!core) {
      const ov = loadOpenVino();
      core = { ov, pointer: ov.make("ov_core_create") };
    }
    return compile(core.ov, core.pointer, request);
  };
}

function compile(ov: OpenVino, core: Pointer, { bytes, threads }: LoadRequest): EngineSession {
  const { type, folder, model, buffers, inputs, outputs } = bytes;
  if (type === "float16") throw new Error("OpenVINO computes in float32 or bfloat16 on the processor, not in float16");
  if (type === "bfloat16") mustHaveBfloat16(ov, core);
  if (buffers.length > 0) throw new Error("OpenVINO reads weights from files or from the model, not from buffers");
  // Locations of external data are relative to the working folder, which is of no other use to this process.
  if (folder !== null) process.chdir(folder);
  const read = ov.make("ov_core_read_model_from_memory_buffer", core, Buffer.from(model), model.length, null);
  try {
    const types = new Map(inputs.map(({ name }) => [name, elementType(ov, read, name)]));
    const properties = {
      INFERENCE_PRECISION_HINT: HINTS[type],
      INFERENCE_NUM_THREADS: String(threads),
      PERFORMANCE_HINT: "LATENCY",
      NUM_STREAMS: "1",
    };
    const pairs = Object.entries(properties).flat();
    const out: [Pointer] = [null];
    ov.call(
      "ov_core_compile_model",
      core,
      read,
      DEVICE,
      pairs.length,
      out,
      ...pairs.flatMap((value) => ["const char *", value]),
    );
    const [compiled] = out;
    const request = ov.make("ov_compiled_model_create_infer_request", compiled);
    return {
      run: async (feeds) => infer(ov, request, feeds, types, outputs),
      async release() {
        ov.free("ov_infer_request_free", request);
        ov.free("ov_compiled_model_free", compiled);
      },
    };
  } finally {
    ov.free("ov_model_free", read);
  }
}

/** @throws Error unless the processor multiplies bfloat16 */
function mustHaveBfloat16(ov: OpenVino, core: Pointer): void {
  const out: [string | null] = [null];
  ov.call("ov_core_get_property", core, DEVICE, "OPTIMIZATION_CAPABILITIES", out);
  if (!/\bBF16\b/.test(out[0] ?? "")) {
    throw new Error("this processor does not compute in bfloat16, which takes AVX-512 BF16 or AMX");
  }
}

/** OpenVINO's number of an input's type, which differs between its versions; null for an input that the model does not read. */
function elementType(ov: OpenVino, model: Pointer, name: string): number | null {
  let port: Pointer;
  try {
    port = ov.make("ov_model_const_input_by_name", model, name);
  } catch {
    return null;
  }
  const type: [number] = [0];
  ov.call("ov_port_get_element_type", port, type);
  ov.free("ov_output_const_port_free", port);
  return type[0];
}

function infer(
  ov: OpenVino,
  request: Pointer,
  feeds: Readonly<Record<string, Tensor>>,
  types: ReadonlyMap<string, number | null>,
  outputs: readonly PortFacts[],
): Record<string, Tensor> {
  for (const [name, { shape, data }] of Object.entries(feeds)) {
    const type = types.get(name);
    if (type === undefined || type === null) continue;
    const given = { rank: shape.length, dims: BigInt64Array.from(shape, BigInt) };
    const tensor = ov.make("ov_tensor_create_from_host_ptr", type, given, data);
    ov.call("ov_infer_request_set_tensor", request, name, tensor);
    ov.free("ov_tensor_free", tensor);
  }
  ov.call("ov_infer_request_infer", request);
  return Object.fromEntries(outputs.map((port) => [port.name, readOutput(ov, request, port)]));
}

function readOutput(ov: OpenVino, request: Pointer, { name, dtype, shape: declared }: PortFacts): Tensor {
  const tensor = ov.make("ov_infer_request_get_tensor", request, name);
  try {
    // OpenVINO takes the empty shape of a scalar for an error.
    const shape = declared.length === 0 ? [] : shapeOf(ov, tensor);
    const size = shape.reduce((n, d) => n * d, 1);
    const bytes = size * BYTES[dtype];
    const view: ArrayBuffer =
      bytes === 0 ? new ArrayBuffer(0) : ov.koffi.view(ov.make("ov_tensor_data", tensor), bytes);
    // The request owns its output, and writes the next one into it.
    return TENSORS[dtype](shape, view.slice(0));
  } finally {
    ov.free("ov_tensor_free", tensor);
  }
}

function shapeOf(ov: OpenVino, tensor: Pointer): number[] {
  const shape: { rank?: number; dims?: Pointer } = {};
  ov.call("ov_tensor_get_shape", tensor, shape);
  const dims: readonly (number | bigint)[] = ov.koffi.decode(shape.dims, ov.koffi.array("int64_t", Number(shape.rank)));
  const sizes = [...dims].map(Number);
  ov.free("ov_shape_free", shape);
  return sizes;
}
