/** Renders Observable Plot charts to SVG text with an in-memory document, without a browser. */
import { type PlotOptions, plot } from "@observablehq/plot";
import { parseHTML } from "linkedom";

/**
 * Renders `Plot.plot(options)` as one `<svg>` element, for HTML or a standalone file. Legends of continuous colour scales need a canvas and
 * are not supported.
 */
export function chart(options: PlotOptions): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const element = plot({ ...options, document });
  // Plot wraps the chart in a figure if it has a legend or a title.
  const root =
    element.tagName.toLowerCase() === "svg" ? element : (element.querySelector("svg:not([class*=ramp])") ?? element);
  if (root === element) element.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return element.outerHTML;
}
