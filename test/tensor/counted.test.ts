import { expect, it } from "vitest";
import { counted } from "../../src/tensor/index.js";

it.each([
  [0, "0 images"],
  [1, "1 image"],
  [2, "2 images"],
  [11, "11 images"],
])("%i things are counted as %s", (n, text) => {
  expect(counted(n, "image")).toBe(text);
});

it("words agree with the number", () => {
  expect([1, 3].map((n) => counted(n, "cell is", "cells are"))).toEqual(["1 cell is", "3 cells are"]);
});
