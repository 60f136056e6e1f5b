/** Products of large matrices by ONNX Runtime in double precision, a hundred times as fast as plain JavaScript. */
import { createBuilder } from "../graph/index.js";
import type { Runtime } from "../runtime/index.js";
import { type Matrix, type Product, plainProduct } from "../tensor/index.js";
import { NO_WEIGHTS, network } from "./network.js";

/** Number of multiply-adds below which the transfer to the worker takes longer than the product. */
const SMALL = 2e7;

/** Computes a bᵀ on `runtime`, and small products in JavaScript. */
export function productsOn(runtime: Runtime): Product {
  const large = network(
    "product",
    runtime,
    (_: "product") => {
      const g = createBuilder();
      return g.finish({ y: g.product(g.input("a", ["N", "D"], "float64"), g.input("b", ["M", "D"], "float64")) });
    },
    NO_WEIGHTS,
  );
  const tensor = ({ rows, columns, data }: Matrix) => ({ dtype: "float64" as const, shape: [rows, columns], data });
  return async (a, b) => {
    if (a.rows * b.rows * a.columns < SMALL) return plainProduct(a, b);
    const { y } = (await large.run("product", { a: tensor(a), b: tensor(b) })).outputs;
    if (y?.dtype !== "float64") throw new RangeError("a product came back in another precision");
    return { rows: a.rows, columns: b.rows, data: y.data };
  };
}
