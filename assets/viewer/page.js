// Parts that all viewers share, inserted before a viewer's own script.
globalThis.viewer = {
  at: (id) => document.getElementById(id),

  /** Adds an SVG element. */
  element(name, attributes, parent) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    parent.append(made);
    return made;
  },

  /** Entry of a legend: a line in a colour and style, and a text. */
  legendEntry(text, colour, style = "solid") {
    const made = document.createElement("span");
    const swatch = document.createElement("i");
    swatch.className = "swatch";
    swatch.style.borderTopColor = colour;
    swatch.style.borderTopStyle = style;
    made.append(swatch, text);
    return made;
  },

  /** A tab of a list of tabs; `choose` runs when it is clicked. */
  tabButton(text, selected, choose) {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-selected", String(selected));
    tab.textContent = text;
    tab.addEventListener("click", choose);
    return tab;
  },
};
