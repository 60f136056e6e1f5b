import { expect, it } from "vitest";
import { timeLeft } from "../../src/cli/time-left.js";

/** A clock that stands where it is put, in seconds. */
function clock() {
  let seconds = 0;
  return { now: () => seconds * 1000, at: (s: number) => (seconds = s) };
}

it("is unknown before the first unit is done, and does not count loading after it", () => {
  const { now, at } = clock();
  const left = timeLeft(10, 0, now);
  expect(left(0)).toBeNull();
  at(20); // 18 s of loading, 2 s of work
  expect(left(1)).toBe("3 min left");
  at(22);
  expect(left(2)).toBe("16 s left");
  at(36);
  expect(left(9)).toBe("2 s left");
  at(38);
  expect(left(10)).toBe("0 s left");
});

it("does not count what an earlier run did", () => {
  const { now, at } = clock();
  const left = timeLeft(100, 90, now);
  expect(left(90)).toBeNull();
  at(4);
  left(92);
  at(8);
  expect(left(96)).toBe("4 s left");
});
