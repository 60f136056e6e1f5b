/** Pages that this package writes, opened without a browser: parsed by linkedom, their scripts run on that document. */
import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import { parseHTML } from "linkedom";
import { expect } from "vitest";

export interface OpenedPage {
  readonly document: ReturnType<typeof parseHTML>["document"];
  readonly bytes: number;
  /** Text of the element that a selector finds first. */
  text(selector: string): string;
  /** Addresses of all images, in order. */
  images(): string[];
  /** JSON of a data element. */
  data(id: string): unknown;
}

/** Opens a page and runs its scripts, which must not throw. Nothing has a size, as in a page that is not shown. */
export function openPage(file: string): OpenedPage {
  const source = readFileSync(file, "utf8");
  const { document } = parseHTML(source);
  const scope = { document, addEventListener: () => {}, matchMedia: () => ({ matches: false }) };
  const scripts = [...document.querySelectorAll("script:not([type])")].map((script) => script.textContent ?? "");
  for (const script of scripts) runInNewContext(script, scope, { filename: file });
  return {
    document,
    bytes: Buffer.byteLength(source),
    text: (selector) => document.querySelector(selector)?.textContent ?? "",
    images: () => [...document.querySelectorAll("img")].map((image) => image.getAttribute("src") ?? ""),
    data: (id) => JSON.parse(document.getElementById(id)?.textContent ?? ""),
  };
}

/** Attributes that make a browser fetch something, or go somewhere. */
const LINKS = ["src", "srcset", "href", "xlink:href", "poster", "data", "action", "formaction", "background"];

/** Checks that a page needs no other file: everything it shows is in it. */
export function expectSelfContained({ document }: OpenedPage): void {
  const links = [...document.querySelectorAll("*")].flatMap((element) =>
    LINKS.flatMap((name) => {
      const value = element.getAttribute(name);
      return value === null ? [] : [`${element.tagName} ${name}=${value.slice(0, 60)}`];
    }),
  );
  expect(links.filter((link) => !/=(data:image\/|#)/.test(link))).toEqual([]);
  const styles = [...document.querySelectorAll("style")].map((style) => style.textContent ?? "").join("\n");
  expect(styles).not.toMatch(/@import|url\((?!["']?(?:data:|#))/);
  const scripts = [...document.querySelectorAll("script:not([type])")].map((script) => script.textContent ?? "");
  expect(scripts.join("\n")).not.toMatch(/\bfetch\(|XMLHttpRequest|\bimport\(|sendBeacon|WebSocket|EventSource/);
}

/** Checks that images are pictures: data URLs of a known type with bytes of that type. Returns their number. */
export function expectPictures(urls: readonly string[]): number {
  for (const url of urls) {
    const [, type, data = ""] = /^data:image\/(png|webp|jpeg);base64,(.+)$/.exec(url) ?? [];
    const bytes = Buffer.from(data, "base64");
    const starts = { png: "89504e47", webp: "52494646", jpeg: "ffd8ff" };
    expect(type, url.slice(0, 40)).toBeDefined();
    expect(bytes.toString("hex").startsWith(starts[type === "png" || type === "webp" ? type : "jpeg"])).toBe(true);
    expect(bytes.length).toBeGreaterThan(60);
  }
  return urls.length;
}
