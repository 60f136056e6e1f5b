/** Names of the tensors that are derived from a matrix. */

export const codesOf = (name: string): string => `${name}.codes`;
export const scalesOf = (name: string): string => `${name}.scales`;
export const minimaOf = (name: string): string => `${name}.minima`;
