/** Numbers of things in sentences. */

/**
 * A number with its noun in the right number; further words agree with it.
 * @example counted(1, "image") → "1 image"; counted(0, "cell is", "cells are") → "0 cells are"
 */
export const counted = (n: number, one: string, several = `${one}s`): string => `${n} ${n === 1 ? one : several}`;
