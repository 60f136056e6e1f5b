import { existsSync } from "node:fs";
import path from "node:path";
import { describe, expect, it, vi } from "vitest";
import { endProgress, openTerminal } from "../../src/cli/terminal.js";
import { temporaryFolder } from "../support/folder.js";
import { spawnProgram } from "../support/program.js";

/** Makes a process believe that its stderr is a terminal. */
const ON_A_TERMINAL = "--import=data:text/javascript,Object.defineProperty(process.stderr,%22isTTY%22,{value:true})";

describe("a progress bar", () => {
  it("keeps no timer after the command has ended", () => {
    vi.useFakeTimers();
    const before = Object.getOwnPropertyDescriptor(process.stderr, "isTTY");
    Object.defineProperty(process.stderr, "isTTY", { value: true, configurable: true });
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    try {
      openTerminal({}).progress(10, "loading");
      expect(vi.getTimerCount()).toBe(1);
      endProgress();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      Object.defineProperty(process.stderr, "isTTY", before ?? { value: undefined, configurable: true });
      write.mockRestore();
      vi.useRealTimers();
    }
  });

  it("does not keep an interrupted program alive", async () => {
    const out = path.join(temporaryFolder(), "run");
    const words = ["generate", "x", "--mode", "base", "--seeds", "0-999", "--batch", "2", "--out", out];
    const { status, stderr } = await spawnProgram(words, { NODE_OPTIONS: ON_A_TERMINAL }, (interrupt) => {
      const timer = setInterval(() => {
        if (!existsSync(path.join(out, "0.png"))) return;
        clearInterval(timer);
        interrupt();
      }, 100);
    });
    expect(status).toBe(130);
    expect(stderr).toContain("0/26000");
    expect(stderr).toMatch(/interrupted; finished files are kept\n$/);
  }, 120_000);
});
