/** Runs the program again and again in this process, each time with the words and the environment that a test sends. */
import { main } from "../../dist/program/main.js";

/** Events whose listeners the program leaves to the end of its process. */
const EVENTS = ["exit", "SIGINT", "SIGTERM"];
const bin = process.argv[2] ?? "";

/** Ends a run as the end of its process would: calls its exit listeners, and removes all that it added. */
function end(before, status) {
  for (const event of EVENTS) {
    for (const listener of process.rawListeners(event).filter((each) => !before[event].includes(each))) {
      if (event === "exit") listener.call(process, status);
      process.removeListener(event, listener);
    }
  }
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners("error");
}

process.on("message", async ({ words, env, cwd, mark }) => {
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  Object.assign(process.env, env);
  process.chdir(cwd);
  process.argv = [process.execPath, bin, ...words];
  const before = Object.fromEntries(EVENTS.map((event) => [event, process.rawListeners(event)]));
  const status = await main(words);
  end(before, status);
  // The test has all the output once it has read the mark on both streams.
  process.stdout.write(mark);
  process.stderr.write(mark);
  process.send?.(status);
});
process.on("disconnect", () => process.exit());
