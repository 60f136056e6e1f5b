/** Encodes the ONNX messages that a graph needs, by field number (onnx.proto3, IR version 10). Independent of the set of operations. */
import { BinaryWriter } from "@bufbuild/protobuf/wire";

/** One attribute of a node; its key selects the ONNX attribute type. */
export type Attribute = { int: number } | { float: number } | { ints: readonly number[] } | { string: string };

/** NodeProto. */
export interface NodeMessage {
  readonly type: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

/** ONNX element types (TensorProto.DataType). */
export const ELEMENT = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
  uint4: 21,
} as const;

/** Opset of ONNX; the second one where a tensor has elements of four bits. */
const OPSETS = [20, 21] as const;

export type ElementType = keyof typeof ELEMENT;

/** TensorProto of an initializer, with its bytes in the model or as external data: a byte range of the file at `location`. */
export interface TensorMessage {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data:
    | { readonly raw: Uint8Array }
    | { readonly location: string; readonly offset: number; readonly length: number };
}

/** ValueInfoProto of a graph input or output; named dimensions are dim_param. */
export interface ValueMessage {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly (number | string)[];
}

/** ModelProto with its graph. */
export interface ModelMessage {
  readonly nodes: readonly NodeMessage[];
  readonly initializers: readonly TensorMessage[];
  readonly inputs: readonly ValueMessage[];
  readonly outputs: readonly ValueMessage[];
}

type Fill = (w: BinaryWriter) => void;
const WIRE = { varint: 0, bytes: 2, fixed32: 5 } as const;

const text = (w: BinaryWriter, field: number, value: string) => w.tag(field, WIRE.bytes).string(value);
const integer = (w: BinaryWriter, field: number, value: number) => w.tag(field, WIRE.varint).int64(value);
function message(w: BinaryWriter, field: number, fill: Fill): void {
  w.tag(field, WIRE.bytes).fork();
  fill(w);
  w.join();
}

function attribute(w: BinaryWriter, name: string, value: Attribute): void {
  text(w, 1, name);
  if ("int" in value) {
    integer(w, 3, value.int);
    integer(w, 20, 2);
  } else if ("float" in value) {
    w.tag(2, WIRE.fixed32).float(value.float);
    integer(w, 20, 1);
  } else if ("string" in value) {
    text(w, 4, value.string);
    integer(w, 20, 3);
  } else {
    for (const i of value.ints) integer(w, 8, i);
    integer(w, 20, 7);
  }
}

function node(w: BinaryWriter, n: NodeMessage): void {
  for (const i of n.inputs) text(w, 1, i);
  for (const o of n.outputs) text(w, 2, o);
  text(w, 4, n.type);
  for (const [name, value] of Object.entries(n.attributes ?? {})) message(w, 5, (w) => attribute(w, name, value));
  if (n.domain) text(w, 7, n.domain);
}

function tensor(w: BinaryWriter, t: TensorMessage): void {
  for (const d of t.shape) integer(w, 1, d);
  integer(w, 2, ELEMENT[t.type]);
  text(w, 8, t.name);
  if ("raw" in t.data) {
    w.tag(9, WIRE.bytes).bytes(t.data.raw);
    return;
  }
  for (const [key, value] of Object.entries(t.data)) {
    message(w, 13, (w) => {
      text(w, 1, key);
      text(w, 2, String(value));
    });
  }
  integer(w, 14, 1);
}

function value(w: BinaryWriter, v: ValueMessage): void {
  text(w, 1, v.name);
  message(w, 2, (w) =>
    message(w, 1, (w) => {
      integer(w, 1, ELEMENT[v.type]);
      message(w, 2, (w) => {
        for (const d of v.shape) message(w, 1, (w) => (typeof d === "number" ? integer(w, 1, d) : text(w, 2, d)));
      });
    }),
  );
}

/** ModelProto as bytes, with opset 20 of ONNX (21 for elements of four bits) and opset 1 of com.microsoft. */
export function encodeModel(model: ModelMessage): Uint8Array {
  const w = new BinaryWriter();
  const fours = model.initializers.some(({ type }) => type === "uint4");
  integer(w, 1, 10);
  text(w, 2, "variegate");
  message(w, 7, (w) => {
    for (const n of model.nodes) message(w, 1, (w) => node(w, n));
    text(w, 2, "graph");
    for (const t of model.initializers) message(w, 5, (w) => tensor(w, t));
    for (const v of model.inputs) message(w, 11, (w) => value(w, v));
    for (const v of model.outputs) message(w, 12, (w) => value(w, v));
  });
  for (const [domain, version] of [
    ["", OPSETS[fours ? 1 : 0]],
    ["com.microsoft", 1],
  ] as const) {
    message(w, 8, (w) => {
      text(w, 1, domain);
      integer(w, 2, version);
    });
  }
  return w.finish();
}
