import fc from "fast-check";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { html, jsonScript, markup, render, renderPage, table } from "../../src/report/index.js";

describe("html", () => {
  it("escapes text and numbers, joins lists, and leaves markup as it is", () => {
    const rows = ["a", "<b>"].map((text) => html`<i>${text}</i>`);
    expect(render(html`<p title="${'"'}">${1}${rows}${markup("<hr>")}</p>`)).toBe(
      '<p title="&#34;">1<i>a</i><i>&#60;b&#62;</i><hr></p>',
    );
  });

  it("shows every text as it is, in an element and in an attribute", () => {
    const text = fc.string({
      unit: fc.constantFrom("<", ">", "&", '"', "'", "a", "é", "\\", "$", "`", "</p>", "&#60;"),
    });
    fc.assert(
      fc.property(text, (given) => {
        const { document } = parseHTML(render(html`<p id="x" title="${given}">${given}</p>`));
        expect(document.querySelectorAll("*").length).toBe(1);
        expect([document.querySelector("p")?.textContent, document.querySelector("p")?.getAttribute("title")]).toEqual([
          given,
          given,
        ]);
      }),
    );
  });

  it("does not take an object of foreign data for markup", () => {
    const foreign: unknown = JSON.parse('{"html": "<script>", "markup": "<script>"}');
    // A wrong type of the caller, with fields named as ours might be: refused, not put in unescaped.
    expect(() => render(html`${foreign as string}`)).toThrow(TypeError);
  });
});

describe("jsonScript", () => {
  it("gives a script the data back, whatever texts it holds", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const data = { value, text: "</script><!-- <script>" };
        const { document } = parseHTML(renderPage({ title: "t", body: jsonScript("data", data) }));
        expect(document.querySelectorAll("script").length).toBe(1);
        expect(JSON.parse(document.querySelector("#data")?.textContent ?? "")).toEqual(
          JSON.parse(JSON.stringify(data)),
        );
      }),
    );
  });
});

describe("table", () => {
  it("has a head, rows of cells and classes where they are asked for", () => {
    const made = table(
      [
        ["name", "value"],
        ["<a>", 1],
        ["b", 2],
      ],
      (row, column) => (row === 1 && column === 1 ? "number" : undefined),
    );
    const { document } = parseHTML(renderPage({ title: "t", body: made }));
    const texts = [...document.querySelectorAll("tr")].map((tr) => [...tr.children].map((c) => c.textContent));
    expect(texts).toEqual([
      ["name", "value"],
      ["<a>", "1"],
      ["b", "2"],
    ]);
    expect([...document.querySelectorAll("td.number")].map((td) => td.textContent)).toEqual(["2"]);
  });
});

describe("renderPage", () => {
  it("is one document with its title escaped and the page's own style behind the shared one", () => {
    const page = renderPage({ title: "a <b>", style: ".own { color: red }", kind: "viewer", body: "text & more" });
    expect(page).toMatch(/^<!doctype html>\n<html lang="en">/);
    const { document } = parseHTML(page);
    expect(document.title).toBe("a <b> · Variegate");
    expect(document.querySelector("style")?.textContent).toMatch(/--paper[\s\S]*\.own \{ color: red \}$/);
    expect(document.body.className).toBe("viewer");
    expect(document.body.textContent?.trim()).toBe("text & more");
  });
});
