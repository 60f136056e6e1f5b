/** The parts of Observable Plot that the page draws with: what is not named here is not in its bundle. */
export { dot, gridX, gridY, lineY, plot, ruleY } from "@observablehq/plot";
