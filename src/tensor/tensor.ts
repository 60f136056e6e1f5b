/** Dense tensors: typed arrays with a shape, row-major and contiguous. */

/** float32 values [shape]; `data.length` is the product of `shape`. */
export interface FloatTensor {
  readonly dtype: "float32";
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** int64 values [shape], such as token ids. */
export interface IntTensor {
  readonly dtype: "int64";
  readonly shape: readonly number[];
  readonly data: BigInt64Array;
}

/** float64 values [shape], for linear algebra. */
export interface DoubleTensor {
  readonly dtype: "float64";
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** A tensor of any supported type. */
export type Tensor = FloatTensor | IntTensor | DoubleTensor;

/** Number of elements of a shape; 1 for a scalar. */
export const count = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** A float32 tensor; `data` is not copied, default zeros. @throws RangeError when `data` does not have the shape's length */
export function float(shape: readonly number[], data: Float32Array = new Float32Array(count(shape))): FloatTensor {
  if (data.length !== count(shape)) {
    throw new RangeError(`[${shape.join(", ")}] holds ${count(shape)} values; ${data.length} were given`);
  }
  return { dtype: "float32", shape, data };
}

/** An int64 tensor from integers. @throws RangeError when `values` does not have the shape's length */
export function int(shape: readonly number[], values: readonly number[]): IntTensor {
  if (values.length !== count(shape)) {
    throw new RangeError(`[${shape.join(", ")}] holds ${count(shape)} values; ${values.length} were given`);
  }
  return { dtype: "int64", shape, data: BigInt64Array.from(values, BigInt) };
}

/** Sample `i` of a batch: x [B, …] → [1, …], a view of the same memory. */
export function sample(x: FloatTensor, i: number): FloatTensor {
  const size = count(x.shape.slice(1));
  return float([1, ...x.shape.slice(1)], x.data.subarray(i * size, (i + 1) * size));
}

/** x [n, m] → [m, n]. */
export const transposed = ({ shape: [n = 0, m = 0], data }: FloatTensor): FloatTensor =>
  float([m, n], transposedValues(data, n, m, new Float32Array(n * m)));

/** Transposes row-major values [n, m] into `out` [m, n], which is returned. */
export function transposedValues<T extends Float32Array | Float64Array>(
  values: ArrayLike<number>,
  n: number,
  m: number,
  out: T,
): T {
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) out[j * n + i] = values[i * m + j] ?? 0;
  return out;
}

/** Concatenates along the first axis: n × [Bᵢ, …] → [ΣBᵢ, …]. @throws RangeError for an empty list, or when other axes differ */
export function stack(parts: readonly FloatTensor[]): FloatTensor {
  const first = parts[0];
  if (!first) throw new RangeError("nothing to stack");
  const rest = first.shape.slice(1);
  for (const p of parts) {
    if (p.shape.slice(1).join() !== rest.join()) {
      throw new RangeError(`cannot stack [${p.shape.join(", ")}] onto [${first.shape.join(", ")}]`);
    }
  }
  const data = new Float32Array(parts.reduce((n, p) => n + p.data.length, 0));
  let at = 0;
  for (const p of parts) {
    data.set(p.data, at);
    at += p.data.length;
  }
  return float([parts.reduce((n, p) => n + (p.shape[0] ?? 1), 0), ...rest], data);
}

/** Concatenates along the last axis: n × [R, …, Dᵢ] → [R, …, ΣDᵢ]. @throws RangeError for an empty list, or when other axes differ */
export function concatLast(parts: readonly FloatTensor[]): FloatTensor {
  const [first] = parts;
  if (!first) throw new RangeError("nothing to concatenate");
  if (parts.length === 1) return first;
  const rest = first.shape.slice(0, -1);
  const other = parts.find((p) => p.shape.slice(0, -1).join() !== rest.join());
  if (other) throw new RangeError(`cannot concatenate [${other.shape.join(", ")}] to [${first.shape.join(", ")}]`);
  const width = parts.reduce((n, p) => n + (p.shape.at(-1) ?? 0), 0);
  const data = new Float32Array(count(rest) * width);
  let column = 0;
  for (const part of parts) {
    const w = part.shape.at(-1) ?? 0;
    for (let r = 0; r < count(rest); r++) data.set(part.data.subarray(r * w, (r + 1) * w), r * width + column);
    column += w;
  }
  return float([...rest, width], data);
}
