/** Opens an address in the user's browser. Where there is none, nothing happens but a warning. */
import { spawn } from "node:child_process";

/** The system's program that opens an address, with its arguments before the address. */
const OPENERS: Readonly<Record<string, readonly [program: string, ...words: string[]]>> = {
  darwin: ["open"],
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
};
const OTHERS = ["xdg-open"] as const;

/**
 * Opens an address and does not wait for the browser. Never throws: the program goes on without a browser.
 * @param warn called with why it could not be opened
 */
export function openBrowser(url: string, warn: (text: string) => void): void {
  const [program, ...words] = OPENERS[process.platform] ?? OTHERS;
  const failed = (why: string) => warn(`--open: no browser was opened (${why}); open ${url}`);
  const child = spawn(program, [...words, url], { detached: true, stdio: "ignore" });
  child.on("error", ({ message }) => failed(message));
  child.on("exit", (status) => {
    if (status !== null && status !== 0) failed(`${program} ended with ${status}`);
  });
  child.unref();
}
