/** HTML pages: a template tag that escapes interpolated values, and the document and style that all pages share. */

const TEXT = Symbol("markup");

/** Trusted markup, inserted without escaping. Only `html` and `markup` create it; foreign data cannot have this type. */
export interface Html {
  readonly [TEXT]: string;
}

/** Value of a template: strings are escaped, lists are concatenated. */
export type Content = string | number | Html | readonly Content[];

/** Marks text as trusted markup, such as a chart or the page's own script. */
export const markup = (text: string): Html => ({ [TEXT]: text });

/** Template tag: html`<td>${text}`. Escapes every value except Html. */
export const html = (literals: TemplateStringsArray, ...values: readonly Content[]): Html =>
  markup(String.raw({ raw: literals }, ...values.map(render)));

/** Content as HTML text. */
export function render(content: Content): string {
  if (typeof content === "string") return content.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  if (typeof content === "number") return String(content);
  return TEXT in content ? content[TEXT] : content.map(render).join("");
}

/** Script element with the page's own code, which must not have "</script" in it. */
export const script = (code: string): Html => markup(`<script>${code}</script>`);

/** Script element with JSON data for the page's scripts. "<" is escaped, so that no string can close the element. */
export const jsonScript = (id: string, data: unknown): Html =>
  markup(
    `<script type="application/json" id="${render(id)}">${JSON.stringify(data).replaceAll("<", "\\u003c")}</script>`,
  );

/** Table with the first row as header. `kind` returns the class of a cell; rows and columns count from 0, without the header. */
export function table(
  [head = [], ...rows]: readonly (readonly Content[])[],
  kind: (row: number, column: number) => string | undefined = () => undefined,
): Html {
  const cell = (content: Content, row: number, column: number) => {
    const name = kind(row, column);
    return name === undefined ? html`<td>${content}</td>` : html`<td class="${name}">${content}</td>`;
  };
  const body = rows.map((row, r) => html`<tr>${row.map((content, c) => cell(content, r, c))}</tr>\n`);
  return html`<table>\n<tr>${head.map((h) => html`<th>${h}</th>`)}</tr>\n${body}</table>`;
}

const STYLE = `
:root { color-scheme: light dark; --paper: light-dark(#fbfaf8, #16171a); --ink: light-dark(#22201c, #e9e7e3);
  --faint: light-dark(#6f6a62, #9a968e); --line: light-dark(#ddd8cf, #34363c); --shade: light-dark(#f1efeb, #24272b);
  --good: light-dark(#16703a, #6fd39a); --bad: light-dark(#a3321f, #ff9a86); --doubt: light-dark(#8a5a00, #e6b45c) }
:root[data-theme="dark"] { color-scheme: dark }
:root[data-theme="light"] { color-scheme: light }
* { box-sizing: border-box }
body { margin: 0; padding: 1rem 1.25rem 3rem; background: var(--paper); color: var(--ink); font: 15px / 1.45 system-ui, sans-serif }
h1 { margin: 0; font-size: 1.25rem }
table { border-collapse: collapse }
th, td { padding: 0.2rem 1rem 0.2rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
code { background: var(--shade) }
body.report { max-width: 72rem; margin: 0 auto }
.report h1 { font-size: 1.6rem }
.report h2 { margin-top: 3rem }
.report table { display: block; margin: 1rem 0; overflow-x: auto }
.report figure { margin: 1rem 0 }
.report figure h2 { margin: 0; font-size: 1rem }
.report svg { max-width: 100%; height: auto }
.report img { width: 96px; height: 96px; object-fit: contain; background: var(--shade) }
`;

/** A page to render. */
export interface Page {
  readonly title: string;
  /** Additional CSS of this page. */
  readonly style?: string;
  /** "report" (default) is a single column of text, tables and charts. */
  readonly kind?: "report" | "viewer";
  readonly body: Content;
}

/** HTML document of a page, self-contained: it loads nothing over the network. */
export function renderPage({ title, style = "", kind = "report", body }: Page): string {
  return render(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Variegate</title>
<style>${markup(STYLE + style)}</style>
</head>
<body class="${kind}">
${body}
</body>
</html>
`);
}
