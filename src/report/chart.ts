/** A plot as SVG text: Observable Plot drawing into a document that lives in memory, so that a report needs no browser. */
import { type PlotOptions, plot } from "@observablehq/plot";
import { parseHTML } from "linkedom";

/**
 * Draws what `Plot.plot` would, as one `<svg>` element that stands in HTML or in a file of its own. Marks come from
 * `@observablehq/plot`. A legend of a continuous colour scale needs a canvas, which there is none here: leave it out.
 */
export function chart(options: PlotOptions): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const drawn = plot({ ...options, document });
  // With a legend or a title Plot wraps its drawing in a figure.
  const root = drawn.tagName.toLowerCase() === "svg" ? drawn : (drawn.querySelector("svg:not([class*=ramp])") ?? drawn);
  if (root === drawn) drawn.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return drawn.outerHTML;
}
