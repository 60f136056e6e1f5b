/** Formats quantities for the terminal. */

export const millions = (n: number): string => (n >= 1e9 ? `${(n / 1e9).toFixed(2)} G` : `${(n / 1e6).toFixed(2)} M`);

/** Progress of tiled decoding. */
export const tileOf = ({ done, total }: { readonly done: number; readonly total: number }): string =>
  `decoding, tile ${done} of ${total}`;

/** Seconds as "42 s", "12 min" or "3.4 h". */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
