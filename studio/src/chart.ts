/** Charts of the page by Observable Plot, in the page's colours. */
import * as Plot from "@observablehq/plot";

export { Plot };

/** A chart as an element. Plot's own style sheet is taken out: the policy of the server allows none in the page; app.css has what it says. */
export function chart(options: Plot.PlotOptions): Element {
  const svg = Plot.plot(options);
  for (const sheet of svg.querySelectorAll("style")) sheet.remove();
  // The element around a chart says what it shows; Plot names groups, which may have no names.
  for (const group of svg.querySelectorAll("[aria-label]")) group.removeAttribute("aria-label");
  return svg;
}

/** Puts a chart into an element, and removes it again. */
export const draw =
  (make: () => Element) =>
  (node: Element): (() => void) => {
    const element = make();
    node.append(element);
    return () => element.remove();
  };
