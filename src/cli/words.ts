/** Quantities in words. */

export const millions = (n: number): string => (n >= 1e9 ? `${(n / 1e9).toFixed(2)} G` : `${(n / 1e6).toFixed(2)} M`);
export const megabytes = (n: number): string =>
  n >= 1e9 ? `${(n / 1e9).toFixed(2)} GB` : `${(n / 1e6).toFixed(1)} MB`;
export const gigabytes = (n: number): string => `${(n / 2 ** 30).toFixed(1)} GiB`;

/** How far the decoding of a picture in tiles is. */
export const tileOf = ({ done, total }: { readonly done: number; readonly total: number }): string =>
  `decoding, tile ${done} of ${total}`;
