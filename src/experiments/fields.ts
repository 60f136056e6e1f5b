/** Part of this room that describes requests. Help and options load it without the code that runs models. */

/** Tables and figures of the paper that are experiments, and its causal claim about single rows. */
export const PAPER = ["table1", "table2", "table3", "table4", "fig5", "fig7a", "fig7b", "fig7c", "swaps"] as const;
