/** Who may use the server: host and origin of a request, the token, the headers of every answer. Independent of the routes. */
import { createHash, timingSafeEqual } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Context, MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { secureHeaders } from "hono/secure-headers";
import { Refusal } from "./refusal.js";

/** Headers of every answer. Pages may load what this server serves, and nothing else. */
export const headers: MiddlewareHandler = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    fontSrc: ["'self'"],
    imgSrc: ["'self'", "data:", "blob:"],
    connectSrc: ["'self'"],
    formAction: ["'self'"],
    baseUri: ["'none'"],
    frameAncestors: ["'none'"],
  },
  crossOriginResourcePolicy: "same-origin",
  crossOriginOpenerPolicy: "same-origin",
  referrerPolicy: "no-referrer",
  xFrameOptions: "DENY",
  // The server speaks HTTP.
  strictTransportSecurity: false,
});

/** Names of this machine for itself. */
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

export const isLoopback = (address: string): boolean =>
  LOOPBACK.has(address) || address === "::1" || /^127\.\d+\.\d+\.\d+$/.test(address);

/** Host name of a Host header or an authority, without its port; null if it is none. */
function nameIn(authority: string): string | null {
  try {
    return new URL(`http://${authority}`).hostname;
  } catch {
    return null;
  }
}

/**
 * Refuses requests that a page of another site makes a browser send. Without a token the host must be this machine, which a site whose
 * name was pointed here (DNS rebinding) is not; with one, such a site lacks the token. An Origin must be the host. A browser that says
 * that a request comes from another site or port may only open a page.
 */
export function ownOrigin(hasToken: boolean): MiddlewareHandler {
  return async (c, next) => {
    const host = c.req.header("host") ?? "";
    const name = nameIn(host);
    if (!hasToken && !(name !== null && isLoopback(name))) {
      throw new Refusal(403, `the host ${JSON.stringify(host)} is not this machine; expected localhost or 127.0.0.1`);
    }
    const origin = c.req.header("origin");
    if (origin !== undefined && !["http:", "https:"].some((scheme) => origin === `${scheme}//${host}`)) {
      throw new Refusal(403, `requests from ${origin} are refused; expected the studio's own pages`);
    }
    const site = c.req.header("sec-fetch-site") ?? "none";
    const opens = c.req.method === "GET" && c.req.header("sec-fetch-mode") === "navigate";
    if (site !== "none" && site !== "same-origin" && !opens) {
      throw new Refusal(403, "requests from other sites are refused; expected the studio's own pages");
    }
    await next();
  };
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
/** Compares in a time that does not depend on where texts differ. */
const isEqual = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b));

/** Milliseconds that the answer to a wrong token takes, for each wrong one in flight; most of them in flight. */
const SLOWED = 500;
const MOST_GUESSES = 16;

/** The token in the header Authorization: of a bearer, or the password of HTTP Basic. */
function tokenIn(header: string): string | undefined {
  const [, kind = "", value = ""] = /^(\w+) +(\S+)$/.exec(header) ?? [];
  if (kind.toLowerCase() === "bearer") return value;
  if (kind.toLowerCase() !== "basic") return undefined;
  const text = Buffer.from(value, "base64").toString("utf8");
  return text.slice(text.indexOf(":") + 1);
}

/**
 * Asks for the token: in the header Authorization, or in the cookie that opening `/?token=…` sets. Wrong ones are answered slowly.
 * @param cookie name of the cookie; cookies of one host are shared by all its ports
 */
export function withToken(token: string, cookie: () => string): MiddlewareHandler {
  let guesses = 0;
  async function refuse(c: Context): Promise<never> {
    if (guesses >= MOST_GUESSES) throw new Refusal(429, "too many wrong tokens", { retryAfter: 10 });
    guesses++;
    try {
      await sleep(SLOWED * guesses);
    } finally {
      guesses--;
    }
    c.header("WWW-Authenticate", "Bearer");
    throw new Refusal(401, "the token is wrong; the studio printed it when it started");
  }
  return async (c, next) => {
    const asked = c.req.method === "GET" && c.req.path === "/" ? c.req.query("token") : undefined;
    const given = asked ?? tokenIn(c.req.header("authorization") ?? "") ?? getCookie(c, cookie());
    if (given === undefined) {
      c.header("WWW-Authenticate", "Bearer");
      throw new Refusal(
        401,
        "a token is needed: open the address that the studio printed, or send Authorization: Bearer TOKEN",
      );
    }
    if (!isEqual(given, token)) return refuse(c);
    if (asked === undefined) return next();
    setCookie(c, cookie(), token, { httpOnly: true, sameSite: "Strict", path: "/" });
    // The token leaves the address bar and the browser's history.
    return c.redirect("/", 303);
  };
}
