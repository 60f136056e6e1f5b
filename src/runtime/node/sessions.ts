/** The engines of the worker: OpenVINO, and onnxruntime-node with its log and its session options. */
import * as ort from "onnxruntime-node";
import { ortModels } from "../ort.js";
import { answering, type LoadRequest } from "../sessions.js";
import { openVinoModels } from "./openvino/sessions.js";

// Errors are returned; ONNX Runtime would print them as well. Sessions set the same level.
ort.env.logLevel = "fatal";

/** Prints errors outside of sessions all the same, such as that of a provider whose libraries are missing. */
export function logErrors(): void {
  ort.env.logLevel = "error";
}

/** Constant folding of the casts of weights is for small ones alone. */
const KEEP_HALF = { constant_folding_max_output_size_in_bytes: "65536" };
const HALF_FOLDING = ["FuseFp16InitializerToFp32NodeTransformer"];

/** The blocked layout of convolutions: a copy of their weights, which a model whose weights stay mapped does without (measured: docs/memory.md). */
const BLOCKED = "NchwcTransformer";

/**
 * Optimisers that look for layers of several operations, each of which checks the whole graph again; and the one that would find all casts of a weight
 * equal.
 */
const FUSIONS = [
  "AttentionFusion",
  "BiasGeluFusion",
  "BiasSoftmaxFusion",
  "CommonSubexpressionElimination",
  "ConcatSliceElimination",
  "DivMulFusion",
  "EmbedLayerNormFusion",
  "FastGeluFusion",
  "GatherSliceToSplitFusion",
  "GatherToSliceFusion",
  "GeluFusion",
  "GeluFusionL1",
  "GemmActivationFusion",
  "GroupQueryAttentionFusion",
  "LayerNormFusion",
  "LayerNormFusionL1",
  "MatMulActivationFusion",
  "MatMulAddFusion",
  "MatMulScaleFusion",
  "MatmulTransposeFusion",
  "PropagateCastOps",
  "QuickGeluFusion",
  "ReshapeFusion",
  "SimplifiedLayerNormFusion",
  "SkipLayerNormFusion",
];

function optimizationOf({ bytes, upcast }: LoadRequest) {
  const mapped = upcast === "per-call";
  const disabled = [...(mapped ? [...HALF_FOLDING, BLOCKED] : []), ...(bytes.fusible ? [] : FUSIONS)];
  return { ...(mapped && KEEP_HALF), ...(disabled.length > 0 && { disable_specified_optimizers: disabled.join(";") }) };
}

type SessionOptions = ort.InferenceSession.SessionOptions;

const optionsOf = (request: LoadRequest): SessionOptions => ({
  executionProviders: [request.device],
  intraOpNumThreads: request.threads,
  logSeverityLevel: 4,
  // After the first call ONNX Runtime would allocate a second block for its memory pattern: twice the memory without a speed-up (measured
  // on SDXL's decoder: docs/memory.md).
  enableMemPattern: false,
  externalData: request.bytes.buffers.map(({ path, data }) => ({ path, data })),
  extra: {
    session: {
      // Prepacking copies every matrix. For models of this size the mapped pages are as fast (measured: npm run bench), except for
      // int8 matmuls.
      disable_prepacking: request.bytes.packed ? "0" : "1",
      // Idle threads that spin slow down the next session: with the base, the distilled model and the decoder in turn, an image took up
      // to three times as long (measured: npm run bench).
      "intra_op.allow_spinning": "0",
      ...(request.bytes.folder !== null && { model_external_initializers_file_folder_path: request.bytes.folder }),
    },
    optimization: optimizationOf(request),
  },
});

const onOpenVino = openVinoModels();
const onOrt = ortModels(async ({ device }) => {
  // ONNX Runtime silently ignores an execution provider that it was built without.
  if (!ort.listSupportedBackends().some(({ name }) => name === device)) {
    throw new Error(`backend not found: this build of ONNX Runtime has no ${device}`);
  }
  return { ort, options: optionsOf };
});

/** Answers a request. @throws Error with the engine's message when the device fails */
export const answer = answering((request) => (request.device === "openvino" ? onOpenVino : onOrt)(request));
