import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { temporaryFolder } from "../support/folder.js";
import { spawnProgram } from "../support/program.js";

const BIN = fileURLToPath(new URL("../../bin/variegate.js", import.meta.url));
const first = z.object({ url: z.string(), token: z.string().optional() });

/** Starts the program; resolves once it has printed its first line. */
async function start(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [BIN, "studio", "--json", "--threads", "1", ...words], {
    env: { ...process.env, ...env },
  });
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const ended = once(child, "close");
  const [line] = await once(child.stdout, "data");
  const printed = first.parse(JSON.parse(String(line)));
  const end = async () => {
    child.kill("SIGINT");
    const [status] = await ended;
    return { status, stderr };
  };
  return { ...printed, pid: child.pid, end };
}

describe("variegate studio", { timeout: 240_000 }, () => {
  it("prints its address, is refused a second time on a workspace, keeps a run that Ctrl-C ends, and ends with 0", async () => {
    const workspace = path.join(temporaryFolder(), "studio");
    const studio = await start(["--workspace", workspace, "--port", "0"]);
    const second = await spawnProgram(["studio", "--workspace", workspace, "--port", "0"]);
    expect(second).toMatchObject({ status: 2, stdout: "" });
    expect(second.stderr).toMatch(new RegExp(`is open in another studio \\(process ${studio.pid} on `));

    const body = JSON.stringify({ prompts: ["a cartoon character"], seeds: Array.from({ length: 64 }, (_, i) => i) });
    const headers = { "content-type": "application/json" };
    const { id } = z
      .object({ id: z.string() })
      .parse(await (await fetch(`${studio.url}api/runs`, { method: "POST", headers, body })).json());
    const images = z.object({ state: z.string(), images: z.array(z.object({ url: z.string() })) });
    let saved = 0;
    while (saved === 0) saved = images.parse(await (await fetch(`${studio.url}api/runs/${id}`)).json()).images.length;
    expect(await studio.end()).toEqual({ status: 0, stderr: "" });

    const again = await start(["--workspace", workspace, "--port", "0"]);
    const kept = images.parse(await (await fetch(`${again.url}api/runs/${id}`)).json());
    expect(kept.state).toBe("interrupted");
    expect(kept.images.length).toBeGreaterThanOrEqual(saved);
    for (const { url } of kept.images) expect((await fetch(new URL(url, again.url))).status).toBe(200);
    expect((await again.end()).status).toBe(0);
  });

  it("takes the next free port and says so; a token guards other addresses", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = z.object({ port: z.number() }).parse(taken.address());
    const studio = await start(["--workspace", temporaryFolder(), "--port", String(port), "--token"]);
    const next = Number(new URL(studio.url).port);
    expect(next).toBeGreaterThan(port);
    expect(studio.token?.length).toBe(32);
    expect(studio.url).toBe(`http://127.0.0.1:${next}/?token=${studio.token}`);
    expect((await fetch(`http://127.0.0.1:${next}/api/pair`)).status).toBe(401);
    const { status, stderr } = await studio.end();
    expect({ status, stderr }).toEqual({ status: 0, stderr: `port ${port} is taken; this is port ${next}\n` });
    taken.close();

    const refused = await spawnProgram(["studio", "--address", "0.0.0.0", "--workspace", temporaryFolder()]);
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringMatching(/needs --token/) });
  });

  it.skipIf(process.platform !== "linux")(
    "opens the page in the browser, and goes on where there is none",
    async () => {
      const folder = temporaryFolder();
      const opened = path.join(folder, "opened");
      writeFileSync(
        path.join(folder, "xdg-open"),
        `#!/bin/sh\necho "$1" > ${opened}.part; mv ${opened}.part ${opened}\n`,
        { mode: 0o755 },
      );
      const found = { PATH: `${folder}:${process.env["PATH"]}`, VARIEGATE_TOKEN: "kept out of the list" };
      const studio = await start(["--workspace", path.join(folder, "a"), "--port", "0", "--open", "--token"], found);
      expect(studio.token).toBe("kept out of the list");
      while (!existsSync(opened)) await sleep(20);
      expect(readFileSync(opened, "utf8")).toBe(`${studio.url}\n`);
      expect(await studio.end()).toEqual({ status: 0, stderr: "" });

      const without = await start(["--workspace", path.join(folder, "b"), "--port", "0", "--open"], {
        PATH: "/nowhere",
      });
      expect((await fetch(`${without.url}api`)).status).toBe(200);
      const { status, stderr } = await without.end();
      expect({ status, stderr }).toEqual({
        status: 0,
        stderr: expect.stringMatching(
          /^--open: no browser was opened \(.*ENOENT\); open http:\/\/127\.0\.0\.1:\d+\/\n$/,
        ),
      });
    },
  );
});
