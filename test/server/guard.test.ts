import { request } from "node:http";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import { serveStudio } from "../../src/server/index.js";
import { temporaryFolder } from "../support/folder.js";
import { studioForTests } from "../support/studio.js";

const TOKEN = "a token of many letters";
const open = studioForTests();
const closed = studioForTests({ token: TOKEN });

/** Status of a GET with headers that fetch does not let a program set. */
const statusOf = (url: string, headers: Readonly<Record<string, string>>): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    request(url, { headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    })
      .on("error", reject)
      .end();
  });

describe("the guard", { timeout: 240_000 }, () => {
  it.each<[string, Record<string, string>, number]>([
    ["its own address", {}, 200],
    ["localhost", { host: "localhost:7860" }, 200],
    ["a name that was pointed here", { host: "evil.example:7860" }, 403],
    ["a name that begins like this machine's", { host: "127.0.0.1.evil.example" }, 403],
    ["a page of another site", { origin: "https://evil.example" }, 403],
    ["a page of another port", { origin: "http://127.0.0.1:1", host: "127.0.0.1:2" }, 403],
    ["a page without an origin, such as a sandboxed frame", { origin: "null" }, 403],
    ["its own page", { origin: "http://127.0.0.1:2", host: "127.0.0.1:2", "sec-fetch-site": "same-origin" }, 200],
    ["an image in a page of another site", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }, 403],
    ["an image in a page of another port", { "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors" }, 403],
    ["a link in a page of another site", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, 200],
  ])("answers %s", async (_, headers, status) => {
    expect(await statusOf(`${open.url()}api/pair`, headers)).toBe(status);
  });

  it("takes JSON of bounded size only", async () => {
    const body = JSON.stringify({ prompts: ["x".repeat(300_000)] });
    expect((await open.send("POST", "api/runs", body)).status).toBe(413);
    const form = await open.send("POST", "api/runs", "prompts=x", { "content-type": "text/plain" });
    expect(form).toMatchObject({
      status: 415,
      body: { error: { message: expect.stringMatching(/application\/json/) } },
    });
  });

  it("refuses a body over the limit to a client that sends all of it before it reads", async () => {
    const { hostname, port } = new URL(open.url());
    const length = 5_000_000;
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => {
        const head = `POST /api/runs HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: application/json`;
        socket.write(`${head}\r\ncontent-length: ${length}\r\n\r\n`);
        // As over a slow line: the server has answered before the last part is sent.
        for (let part = 0; part < 10; part++)
          setTimeout(
            () => socket.write(Buffer.alloc(length / 10, "x"), () => part === 9 && socket.resume()),
            20 * part,
          );
      });
      let text = "";
      socket.pause().on("data", (some) => {
        text += some;
      });
      socket.on("error", reject).on("close", () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain("the body is too large; expected at most 256 kB");
  });

  it("sends a policy that allows nothing from elsewhere and nothing inline", async () => {
    const { headers } = await open.send("GET", "");
    const policy = headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*|http/);
    expect([headers.get("x-content-type-options"), headers.get("access-control-allow-origin")]).toEqual([
      "nosniff",
      null,
    ]);
  });

  it("asks for the token, as a bearer, as a password, or once in the address", async () => {
    expect((await closed.send("GET", "api/pair")).status).toBe(401);
    const start = performance.now();
    expect((await closed.send("GET", "api/pair", undefined, { authorization: "Bearer wrong" })).status).toBe(401);
    expect(performance.now() - start).toBeGreaterThan(450);
    const basic = `Basic ${Buffer.from(`user:${TOKEN.replaceAll(" ", "-")}`).toString("base64")}`;
    expect((await closed.send("GET", "api/pair", undefined, { authorization: basic })).status).toBe(401);
    const right = `Basic ${Buffer.from(`user:${TOKEN}`).toString("base64")}`;
    expect((await closed.send("GET", "api/pair", undefined, { authorization: right })).status).toBe(200);

    const opened = await closed.send("GET", `?token=${encodeURIComponent(TOKEN)}`);
    expect([opened.status, opened.headers.get("location")]).toEqual([303, "/"]);
    const [cookie = ""] = opened.headers.getSetCookie();
    expect(cookie).toMatch(/^variegate-\d+=.*; Path=\/; HttpOnly; SameSite=Strict$/);
    expect((await closed.send("GET", "api/pair", undefined, { cookie: cookie.split(";")[0] ?? "" })).status).toBe(200);
    expect((await closed.send("GET", `api/pair?token=${encodeURIComponent(TOKEN)}`)).status).toBe(401);
    expect(await statusOf(`${closed.url()}api/pair`, { host: "studio.example", authorization: right })).toBe(200);
  });

  it("refuses an address that others can reach without a token", async () => {
    const options = { models: {}, workspace: temporaryFolder(), port: 0, token: null, onError: () => {} };
    await expect(serveStudio({ ...options, address: "0.0.0.0" })).rejects.toThrow(RequestError);
  });
});
