/**
 * Reads the pickles of torch.save, and builds only tensors and plain containers. A pickle is a program, so only the instructions that
 * create data and calls of the functions listed below are allowed; other classes may be named, as a trainer's are (pickletools in CPython documents the opcodes).
 */
import { FileError } from "../errors.js";
import type { BlockFormat, WeightType } from "../tensor/index.js";

/** A torch storage: element type, key of its zip entry, number of elements. */
export interface Storage {
  readonly is: "storage";
  readonly dtype: WeightType;
  readonly key: string;
  readonly elements: number;
}

/** A tensor as a view of a storage; offset and strides count elements. */
export interface TensorView {
  readonly is: "tensor";
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** Float8 format of the bytes in the storage; undefined for other types. */
  readonly format?: BlockFormat;
}

/** A class or function by name. Naming one runs nothing; only those in `ALLOWED` may be called. */
interface Callable {
  readonly is: "callable";
  readonly name: string;
}

/** A value of numpy, whose content is not needed. */
interface Opaque {
  readonly is: "opaque";
}

export type Pickled =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Pickled[]
  | Map<Pickled, Pickled>
  | Storage
  | TensorView
  | Callable
  | Opaque;

const OPAQUE: Opaque = { is: "opaque" };

const STORAGES: Readonly<Record<string, WeightType>> = {
  DoubleStorage: "float64",
  FloatStorage: "float32",
  HalfStorage: "float16",
  BFloat16Storage: "bfloat16",
  LongStorage: "int64",
  IntStorage: "int32",
  ShortStorage: "int16",
  CharStorage: "int8",
  ByteStorage: "uint8",
  BoolStorage: "bool",
  // Bytes of the types that came after typed storages.
  UntypedStorage: "uint8",
};

/** Callables that a pickle may use, with their replacements. */
const ALLOWED: Readonly<Record<string, (args: readonly Pickled[]) => Pickled>> = {
  // Python 2 passes all items as one list of pairs.
  "collections.OrderedDict": ([items]) => new Map(Array.isArray(items) ? items.map(pairOf) : []),
  "torch._utils._rebuild_tensor_v2": (args) => tensorOf(args),
  // Types that came after typed storages; only float8 is among those read.
  "torch._utils._rebuild_tensor_v3": (args) => float8Of(args),
  // Before PyTorch 0.4.
  "torch._utils._rebuild_tensor": (args) => tensorOf(args),
  "torch._utils._rebuild_parameter": ([data = null]) => data,
  "torch._utils._rebuild_parameter_with_state": ([data = null]) => data,
  "torch.Size": ([shape = null]) => shape,
  // What trainers store beside the weights: metrics, counts, sets.
  "collections.defaultdict": () => new Map(),
  "builtins.set": ([items]) => (Array.isArray(items) ? items : []),
  "__builtin__.set": ([items]) => (Array.isArray(items) ? items : []),
  "_codecs.encode": ([text = null]) => text,
  "numpy.dtype": () => OPAQUE,
  "numpy.core.multiarray.scalar": () => OPAQUE,
  "numpy._core.multiarray.scalar": () => OPAQUE,
  "numpy.core.multiarray._reconstruct": () => OPAQUE,
  "numpy._core.multiarray._reconstruct": () => OPAQUE,
};

function pairOf(item: Pickled): [Pickled, Pickled] {
  const [key, value] = Array.isArray(item) ? (item as Pickled[]) : [];
  if (key === undefined || value === undefined) throw new Refusal("a dictionary in it is malformed");
  return [key, value];
}

const isStorage = (v: Pickled | undefined): v is Storage =>
  typeof v === "object" && v !== null && "is" in v && v.is === "storage";
const numbers = (v: Pickled | undefined): readonly number[] | undefined =>
  Array.isArray(v) && v.every((n) => typeof n === "number" && Number.isSafeInteger(n) && n >= 0)
    ? (v as number[])
    : undefined;

function tensorOf([storage, offset, shape, strides]: readonly Pickled[]): TensorView {
  const [dims, steps] = [numbers(shape), numbers(strides)];
  if (!isStorage(storage) || typeof offset !== "number" || !dims || steps?.length !== dims.length)
    throw new Refusal("a tensor in it is malformed");
  return { is: "tensor", storage, offset, shape: dims, strides: steps };
}

/** Float8 types by their names in torch. */
const FLOAT8: Readonly<Record<string, BlockFormat>> = {
  "torch.float8_e4m3fn": "f8_e4m3",
  "torch.float8_e5m2": "f8_e5m2",
};

/** (storage, offset, shape, strides, requires_grad, hooks, dtype) */
function float8Of(args: readonly Pickled[]): TensorView {
  const dtype = args[6] ?? null;
  const format = isCallable(dtype) ? FLOAT8[dtype.name] : undefined;
  if (format) return { ...tensorOf(args), format };
  throw new Refusal(`a tensor in it is ${isCallable(dtype) ? dtype.name : "of an unknown type"}; save it as float16`);
}

/** Reason to reject a pickle; converted to a FileError with the file's name. */
class Refusal extends Error {}

const MAX_ITEMS = 5_000_000;

/** Reads the pickle in `bytes`, without running code from it. @throws FileError naming a callable that is not allowed */
export function readPickle(bytes: Uint8Array, file: string): Pickled {
  return readPickles(bytes, file, 1).values[0] ?? null;
}

/** Reads `count` consecutive pickles; `end` is the offset after the last one. @throws FileError as readPickle does */
export function readPickles(bytes: Uint8Array, file: string, count: number): { values: Pickled[]; end: number } {
  const values: Pickled[] = [];
  let end = 0;
  try {
    while (values.length < count) {
      const { value, length } = run(bytes.subarray(end));
      values.push(value);
      end += length;
    }
    return { values, end };
  } catch (error) {
    if (error instanceof Refusal) throw new FileError(file, error.message);
    if (error instanceof RangeError) throw new FileError(file, "its pickle is damaged or cut short", { cause: error });
    throw error;
  }
}

/** Reads the operands of a pickle's instructions. */
function operands(bytes: Uint8Array) {
  const v = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const skip = (n: number): number => {
    at += n;
    return at - n;
  };
  const take = (n: number): Uint8Array => {
    if (n < 0 || at + n > bytes.length) throw new RangeError("cut short");
    return bytes.subarray(skip(n), at);
  };
  return {
    take,
    u8: () => v.getUint8(at++),
    u16: () => v.getUint16(skip(2), true),
    i32: () => v.getInt32(skip(4), true),
    u32: () => v.getUint32(skip(4), true),
    u64: () => Number(v.getBigUint64(skip(8), true)),
    f64: () => v.getFloat64(skip(8), false),
    text: (n: number) => new TextDecoder().decode(take(n)),
    /** Text up to the end of the line. */
    line() {
      const end = bytes.indexOf(10, at);
      if (end < 0) throw new RangeError("cut short");
      const word = new TextDecoder().decode(bytes.subarray(at, end));
      at = end + 1;
      return word;
    },
    /** A signed integer of n bytes. */
    long(n: number): number {
      const raw = take(n);
      let value = 0n;
      for (let i = n - 1; i >= 0; i--) value = (value << 8n) | BigInt(raw[i] ?? 0);
      return Number(BigInt.asIntN(8 * n || 1, value));
    },
    position: () => at,
  };
}

/** Stack and memo of the instructions. */
function machine() {
  const stack: Pickled[] = [];
  const marks: number[] = [];
  const memo = new Map<number, Pickled>();
  const needed = (value: Pickled | undefined, what: string): Pickled => {
    if (value === undefined) throw new RangeError(what);
    return value;
  };
  const top = () => needed(stack.at(-1), "empty stack");
  return {
    top,
    push(value: Pickled): void {
      if (stack.length > MAX_ITEMS) throw new Refusal("its pickle holds too many items");
      stack.push(value);
    },
    pop: () => needed(stack.pop(), "empty stack"),
    last: (n: number) => stack.splice(-n),
    mark: () => void marks.push(stack.length),
    sinceMark(): Pickled[] {
      const mark = marks.pop();
      if (mark === undefined) throw new RangeError("no mark");
      return stack.splice(mark);
    },
    keep: (key: number = memo.size) => void memo.set(key, top()),
    recall: (key: number) => needed(memo.get(key), "no such memo"),
    setItems(items: readonly Pickled[]): void {
      const target = top();
      if (!(target instanceof Map)) throw new Refusal("its pickle sets items of something that is no dictionary");
      for (let i = 0; i + 1 < items.length; i += 2) target.set(items[i] ?? null, items[i + 1] ?? null);
    },
    append(items: readonly Pickled[]): void {
      const target = top();
      if (!Array.isArray(target)) throw new Refusal("its pickle appends to something that is no list");
      target.push(...items);
    },
  };
}

type Operands = ReturnType<typeof operands>;
type Machine = ReturnType<typeof machine>;

const isCallable = (v: Pickled): v is Callable =>
  typeof v === "object" && v !== null && "is" in v && v.is === "callable";

/** Calls a function from `ALLOWED`. @throws Refusal for any other */
function called(callable: Pickled, args: Pickled): Pickled {
  if (!isCallable(callable)) throw new Refusal("its pickle calls something that is no known function");
  const make = Object.hasOwn(ALLOWED, callable.name) ? ALLOWED[callable.name] : undefined;
  if (!make || !Array.isArray(args)) throw refusal(callable);
  return make(args);
}

const refusal = (asked: Pickled): Refusal =>
  new Refusal(
    `its pickle asks for ${isCallable(asked) ? asked.name : "an object"}; only tensors are read, nothing was run. Take its .safetensors file, or save the weights alone`,
  );

/** An object of a class. Objects are made by code of the class, so none is. @throws Refusal */
function refuse(type: Pickled): never {
  throw refusal(type);
}

/** The state of a dictionary (its _metadata) and of numpy's values is not used. @throws Refusal for the state of anything else */
function setState(target: Pickled): void {
  const known =
    target instanceof Map ||
    (typeof target === "object" && target !== null && "is" in target && target.is === "opaque");
  if (!known) throw refusal(target);
}

/** Instructions that a state dict needs, by opcode. */
const INSTRUCTIONS: Readonly<Record<number, (m: Machine, o: Operands) => void>> = {
  128: (_, o) => void o.u8(), // PROTO
  149: (_, o) => void o.u64(), // FRAME
  125: (m) => m.push(new Map()), // EMPTY_DICT
  93: (m) => m.push([]), // EMPTY_LIST
  41: (m) => m.push([]), // EMPTY_TUPLE
  40: (m) => m.mark(), // MARK
  116: (m) => m.push(m.sinceMark()), // TUPLE
  108: (m) => m.push(m.sinceMark()), // LIST
  133: (m) => m.push([m.pop()]), // TUPLE1
  134: (m) => m.push(m.last(2)), // TUPLE2
  135: (m) => m.push(m.last(3)), // TUPLE3
  78: (m) => m.push(null), // NONE
  136: (m) => m.push(true), // NEWTRUE
  137: (m) => m.push(false), // NEWFALSE
  75: (m, o) => m.push(o.u8()), // BININT1
  77: (m, o) => m.push(o.u16()), // BININT2
  74: (m, o) => m.push(o.i32()), // BININT
  138: (m, o) => m.push(o.long(o.u8())), // LONG1
  71: (m, o) => m.push(o.f64()), // BINFLOAT
  88: (m, o) => m.push(o.text(o.u32())), // BINUNICODE
  140: (m, o) => m.push(o.text(o.u8())), // SHORT_BINUNICODE
  141: (m, o) => m.push(o.text(o.u64())), // BINUNICODE8
  85: (m, o) => m.push(o.text(o.u8())), // SHORT_BINSTRING
  84: (m, o) => m.push(o.text(o.i32())), // BINSTRING
  67: (m, o) => m.push(o.take(o.u8())), // SHORT_BINBYTES
  66: (m, o) => m.push(o.take(o.u32())), // BINBYTES
  113: (m, o) => m.keep(o.u8()), // BINPUT
  114: (m, o) => m.keep(o.u32()), // LONG_BINPUT
  148: (m) => m.keep(), // MEMOIZE
  104: (m, o) => m.push(m.recall(o.u8())), // BINGET
  106: (m, o) => m.push(m.recall(o.u32())), // LONG_BINGET
  115: (m) => m.setItems([m.pop(), m.pop()].reverse()), // SETITEM
  117: (m) => m.setItems(m.sinceMark()), // SETITEMS
  97: (m) => m.append([m.pop()]), // APPEND
  101: (m) => m.append(m.sinceMark()), // APPENDS
  48: (m) => void m.pop(), // POP
  50: (m) => m.push(m.top()), // DUP
  99: (m, o) => m.push({ is: "callable", name: `${o.line()}.${o.line()}` }), // GLOBAL
  147: (m) => {
    const [name, module] = [m.pop(), m.pop()];
    m.push({ is: "callable", name: `${String(module)}.${String(name)}` }); // STACK_GLOBAL
  },
  81: (m) => m.push(storageOf(m.pop())), // BINPERSID
  82: (m) => {
    const [args, callable] = [m.pop(), m.pop()];
    m.push(called(callable, args)); // REDUCE
  },
  98: (m) => {
    m.pop();
    setState(m.top()); // BUILD
  },
  129: (m) => refuse(m.last(2)[0] ?? null), // NEWOBJ
  146: (m) => refuse(m.last(3)[0] ?? null), // NEWOBJ_EX
  111: (m) => refuse(m.sinceMark()[0] ?? null), // OBJ
  105: (_, o) => refuse({ is: "callable", name: `${o.line()}.${o.line()}` }), // INST
  142: (m, o) => m.push(o.take(o.u64())), // BINBYTES8
  143: (m) => m.push([]), // EMPTY_SET
  144: (m) => m.append(m.sinceMark()), // ADDITEMS
  145: (m) => m.push(m.sinceMark()), // FROZENSET
};
const STOP = 0x2e;

function run(bytes: Uint8Array): { value: Pickled; length: number } {
  const [m, o] = [machine(), operands(bytes)];
  for (;;) {
    const code = o.u8();
    if (code === STOP) return { value: m.pop(), length: o.position() };
    const instruction = INSTRUCTIONS[code];
    if (!instruction)
      throw new Refusal(
        `its pickle uses instruction 0x${code.toString(16)}, which no state dict needs; nothing was run`,
      );
    instruction(m, o);
  }
}

/** torch's persistent id: ("storage", type, key, device, elements). */
function storageOf(id: Pickled): Storage {
  const [word, type = null, key, , elements] = Array.isArray(id) ? (id as Pickled[]) : [];
  const [, name = ""] = (isCallable(type) && /^torch\.(?:storage\.)?(\w+)$/.exec(type.name)) || [];
  const dtype = Object.hasOwn(STORAGES, name) ? STORAGES[name] : undefined;
  if (word !== "storage" || !dtype || typeof key !== "string" || typeof elements !== "number")
    throw new Refusal("a storage in its pickle is malformed");
  return { is: "storage", dtype, key, elements };
}
