export { type Content, type Html, html, jsonScript, markup, type Page, render, renderPage, table } from "./page.js";

/** Loads what draws plots, which takes half a second: pages without a plot do without it. */
export const loadChart = async () => (await import("./chart.js")).chart;
