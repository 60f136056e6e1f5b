/**
 * Reads the pickles that torch.save writes and builds tensors and plain containers, nothing else. A pickle is a program; this
 * runs only the instructions that make data, and knows only the few callables below (pickletools in CPython documents the codes).
 */
import { FileError } from "../errors.js";
import type { WeightType } from "../tensor/index.js";

/** Storage as torch names it: element type, key of its entry in the zip, number of elements. */
export interface Storage {
  readonly is: "storage";
  readonly dtype: WeightType;
  readonly key: string;
  readonly elements: number;
}

/** A tensor as a window on a storage; offset and strides count elements. */
export interface TensorView {
  readonly is: "tensor";
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

interface Callable {
  readonly is: "callable";
  readonly name: string;
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
  | Callable;

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
};

/** What a pickle may ask for, and what becomes of it. */
const ALLOWED: Readonly<Record<string, (args: readonly Pickled[]) => Pickled>> = {
  // Python 2 hands the items over at once, as a list of pairs.
  "collections.OrderedDict": ([items]) => new Map(Array.isArray(items) ? items.map(pairOf) : []),
  "torch._utils._rebuild_tensor_v2": (args) => tensorOf(args),
  // Before PyTorch 0.4.
  "torch._utils._rebuild_tensor": (args) => tensorOf(args),
  "torch._utils._rebuild_parameter": ([data = null]) => data,
  "torch._utils._rebuild_parameter_with_state": ([data = null]) => data,
  "torch.Size": ([shape = null]) => shape,
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

/** Why a pickle is not read; becomes a FileError with the file's name. */
class Refusal extends Error {}

const MAX_ITEMS = 5_000_000;

/** Runs the pickle in `bytes`. @throws FileError naming what it asks for that is not a tensor; nothing is ever run */
export function readPickle(bytes: Uint8Array, file: string): Pickled {
  return readPickles(bytes, file, 1).values[0] ?? null;
}

/** Runs `count` pickles that stand one after the other; `end` is where the last one ends. @throws FileError as above */
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

function run(bytes: Uint8Array): { value: Pickled; length: number } {
  const v = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const stack: Pickled[] = [];
  const marks: number[] = [];
  const memo = new Map<number, Pickled>();

  const take = (n: number): Uint8Array => {
    if (n < 0 || at + n > bytes.length) throw new RangeError("cut short");
    at += n;
    return bytes.subarray(at - n, at);
  };
  const skip = (n: number): number => {
    at += n;
    return at - n;
  };
  const u8 = () => v.getUint8(at++);
  const u16 = () => v.getUint16(skip(2), true);
  const i32 = () => v.getInt32(skip(4), true);
  const u32 = () => v.getUint32(skip(4), true);
  const u64 = () => Number(v.getBigUint64(skip(8), true));
  const text = (n: number) => new TextDecoder().decode(take(n));
  const line = () => {
    const end = bytes.indexOf(10, at);
    if (end < 0) throw new RangeError("cut short");
    const word = new TextDecoder().decode(bytes.subarray(at, end));
    at = end + 1;
    return word;
  };
  const push = (value: Pickled) => {
    if (stack.length > MAX_ITEMS) throw new Refusal("its pickle holds too many items");
    stack.push(value);
  };
  const pop = (): Pickled => {
    const value = stack.pop();
    if (value === undefined) throw new RangeError("empty stack");
    return value;
  };
  const sinceMark = (): Pickled[] => {
    const mark = marks.pop();
    if (mark === undefined) throw new RangeError("no mark");
    return stack.splice(mark);
  };
  const top = (): Pickled => {
    const value = stack.at(-1);
    if (value === undefined) throw new RangeError("empty stack");
    return value;
  };
  const setItems = (items: readonly Pickled[]) => {
    const target = top();
    if (!(target instanceof Map)) throw new Refusal("its pickle sets items of something that is no dictionary");
    for (let i = 0; i + 1 < items.length; i += 2) target.set(items[i] ?? null, items[i + 1] ?? null);
  };
  const append = (items: readonly Pickled[]) => {
    const target = top();
    if (!Array.isArray(target)) throw new Refusal("its pickle appends to something that is no list");
    target.push(...items);
  };
  const long = (n: number): number => {
    const raw = take(n);
    let value = 0n;
    for (let i = n - 1; i >= 0; i--) value = (value << 8n) | BigInt(raw[i] ?? 0);
    return Number(BigInt.asIntN(8 * n || 1, value));
  };
  const global = (module: string, name: string) => {
    const full = `${module}.${name}`;
    const known =
      Object.hasOwn(ALLOWED, full) ||
      ((module === "torch" || module === "torch.storage") &&
        (Object.hasOwn(STORAGES, name) || name === "UntypedStorage"));
    if (!known) throw new Refusal(`its pickle asks for ${full}; only tensors are read, nothing was run`);
    push({ is: "callable", name: full });
  };
  const call = () => {
    const [args, callable] = [pop(), pop()];
    if (typeof callable !== "object" || callable === null || !("is" in callable) || callable.is !== "callable")
      throw new Refusal("its pickle calls something that is no known function");
    const make = Object.hasOwn(ALLOWED, callable.name) ? ALLOWED[callable.name] : undefined;
    if (!make || !Array.isArray(args))
      throw new Refusal(`its pickle calls ${callable.name}; only tensors are read, nothing was run`);
    push(make(args));
  };

  /** Instructions by their code. */
  const codes: Readonly<Record<number, () => void>> = {
    128: () => void u8(), // PROTO
    149: () => void u64(), // FRAME
    125: () => push(new Map()), // EMPTY_DICT
    93: () => push([]), // EMPTY_LIST
    41: () => push([]), // EMPTY_TUPLE
    40: () => void marks.push(stack.length), // MARK
    116: () => push(sinceMark()), // TUPLE
    108: () => push(sinceMark()), // LIST
    133: () => push([pop()]), // TUPLE1
    134: () => push(stack.splice(-2)), // TUPLE2
    135: () => push(stack.splice(-3)), // TUPLE3
    78: () => push(null), // NONE
    136: () => push(true), // NEWTRUE
    137: () => push(false), // NEWFALSE
    75: () => push(u8()), // BININT1
    77: () => push(u16()), // BININT2
    74: () => push(i32()), // BININT
    138: () => push(long(u8())), // LONG1
    71: () => push(v.getFloat64(skip(8), false)), // BINFLOAT
    88: () => push(text(u32())), // BINUNICODE
    140: () => push(text(u8())), // SHORT_BINUNICODE
    141: () => push(text(u64())), // BINUNICODE8
    85: () => push(text(u8())), // SHORT_BINSTRING
    84: () => push(text(i32())), // BINSTRING
    67: () => push(take(u8())), // SHORT_BINBYTES
    66: () => push(take(u32())), // BINBYTES
    113: () => void memo.set(u8(), top()), // BINPUT
    114: () => void memo.set(u32(), top()), // LONG_BINPUT
    148: () => void memo.set(memo.size, top()), // MEMOIZE
    104: () => push(recall(memo, u8())), // BINGET
    106: () => push(recall(memo, u32())), // LONG_BINGET
    115: () => setItems([pop(), pop()].reverse()), // SETITEM
    117: () => setItems(sinceMark()), // SETITEMS
    97: () => append([pop()]), // APPEND
    101: () => append(sinceMark()), // APPENDS
    48: () => void pop(), // POP
    50: () => push(top()), // DUP
    99: () => global(line(), line()), // GLOBAL
    147: () => {
      const [name, module] = [pop(), pop()];
      global(String(module), String(name)); // STACK_GLOBAL
    },
    81: () => push(storageOf(pop())), // BINPERSID
    82: call, // REDUCE
    98: () => void pop(), // BUILD: state of a dictionary (its _metadata) is of no use here
  };
  for (;;) {
    const code = u8();
    if (code === 0x2e) return { value: pop(), length: at }; // STOP
    const instruction = codes[code];
    if (!instruction)
      throw new Refusal(
        `its pickle uses instruction 0x${code.toString(16)}, which no state dict needs; nothing was run`,
      );
    instruction();
  }
}

function recall(memo: ReadonlyMap<number, Pickled>, key: number): Pickled {
  const value = memo.get(key);
  if (value === undefined) throw new RangeError("no such memo");
  return value;
}

/** torch's persistent id: ("storage", type, key, device, elements). */
function storageOf(id: Pickled): Storage {
  const [word, type, key, , elements] = Array.isArray(id) ? (id as Pickled[]) : [];
  const name = typeof type === "object" && type !== null && "is" in type && type.is === "callable" ? type.name : "";
  const dtype = STORAGES[name.split(".").at(-1) ?? ""];
  if (word !== "storage" || !dtype || typeof key !== "string" || typeof elements !== "number")
    throw new Refusal("a storage in its pickle is malformed");
  return { is: "storage", dtype, key, elements };
}
