/** Quantities in words. */

export const millions = (n: number): string => (n >= 1e9 ? `${(n / 1e9).toFixed(2)} G` : `${(n / 1e6).toFixed(2)} M`);
export const megabytes = (n: number): string =>
  n >= 1e9 ? `${(n / 1e9).toFixed(2)} GB` : `${(n / 1e6).toFixed(1)} MB`;
export const gigabytes = (n: number): string => `${(n / 2 ** 30).toFixed(1)} GiB`;
