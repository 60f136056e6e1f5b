/** Pairs that come in npm packages of their own, because of the size of their models. */

/** Name of a pair → npm package that has it. */
export const PACKAGED: Readonly<Record<string, string>> = {
  emoji: "@variegate/pair-emoji",
  "embedded-taught": "@variegate/pair-taught",
};
