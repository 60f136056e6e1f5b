/** Charts of the page by Observable Plot, in the page's colours. Plot is loaded with the first chart. */
import type { PlotOptions } from "@observablehq/plot";

type Plot = typeof import("./plot.js");

let plot = $state.raw<Plot | null>(null);

/** A chart as an element. Plot's own style sheet is taken out: the policy of the server allows none in the page; app.css has what it says. */
function chart(loaded: Plot, options: PlotOptions): Element {
  const svg = loaded.plot(options);
  for (const sheet of svg.querySelectorAll("style")) sheet.remove();
  // The element around a chart says what it shows; Plot names groups, which may have no names.
  for (const group of svg.querySelectorAll("[aria-label]")) group.removeAttribute("aria-label");
  return svg;
}

/** Puts a chart into an element, and removes it again. */
export const draw =
  (optionsOf: (plot: Plot) => PlotOptions) =>
  (node: Element): (() => void) => {
    if (!plot) {
      void import("./plot.js").then((loaded) => {
        plot = loaded;
      });
      return () => {};
    }
    const element = chart(plot, optionsOf(plot));
    node.append(element);
    return () => element.remove();
  };
