/** Time that a piece of work still takes, from the pace of what is done. */
import { duration } from "./units.js";

/**
 * Follows work of `total` units, of which `first` are done when it starts. The function returned takes how many are done now, and gives
 * "42 s left", or null before the first unit: until then nothing is known of the pace. Later the first unit is not counted, because
 * loading is part of it.
 * @example const left = timeLeft(20); left(0); // null
 */
export function timeLeft(total: number, first = 0, now: () => number = () => performance.now()) {
  let from = { done: first, at: now() };
  let loaded = false;
  let said: string | null = null;
  return (done: number): string | null => {
    if (done <= from.done) return said;
    const at = now();
    said = `${duration((((at - from.at) / (done - from.done)) * (total - done)) / 1000)} left`;
    if (!loaded) from = { done, at };
    loaded = true;
    return said;
  };
}
