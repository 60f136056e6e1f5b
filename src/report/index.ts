export {
  type Content,
  type Html,
  html,
  jsonScript,
  markup,
  type Page,
  render,
  renderPage,
  script,
  table,
} from "./page.js";

/** Loads `chart` on demand: importing Observable Plot takes half a second, which pages without a chart avoid. */
export const loadChart = async () => (await import("./chart.js")).chart;
