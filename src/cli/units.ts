/** Formats quantities for the terminal. */

export const millions = (n: number): string => (n >= 1e9 ? `${(n / 1e9).toFixed(2)} G` : `${(n / 1e6).toFixed(2)} M`);

/** Progress of tiled decoding. */
export const tileOf = ({ done, total }: { readonly done: number; readonly total: number }): string =>
  `decoding, tile ${done} of ${total}`;
