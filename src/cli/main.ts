/** The command line: parses arguments, runs a command, and maps errors to a message and an exit code. */
import { Command, CommanderError } from "commander";
import { VariegateError } from "../errors.js";
import { versions } from "../inspect/index.js";
import { addAdapterCommands } from "./commands/adapter.js";
import { example } from "./commands/common.js";
import { addGenerateCommands } from "./commands/generate.js";
import { addMeasureCommands } from "./commands/measure.js";
import { addModelCommands } from "./commands/models.js";
import { addTraceCommands } from "./commands/trace.js";
import { listenForInterrupt } from "./interrupt.js";

/** Creates the program with all commands. */
export function createProgram(): Command {
  const program = new Command("variegate")
    .description("Diversity and control for few-step text-to-image models.")
    .version(versions().variegate)
    .addHelpText(
      "before",
      example("variegate compare", 'variegate generate "a cartoon character wearing a crown" --seeds 0-7'),
    )
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ outputError: () => {} });
  addGenerateCommands(program);
  addTraceCommands(program);
  addMeasureCommands(program);
  addModelCommands(program);
  addAdapterCommands(program);
  return program;
}

/** Runs the program with arguments; returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  listenForInterrupt();
  // The reader of a pipe may close it, like `head`.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  try {
    await createProgram().parseAsync([...args], { from: "user" });
    return 0;
  } catch (error) {
    return explain(error, args.includes("--debug"));
  }
}

/** Prints an error in one or two lines; returns the exit code. */
function explain(error: unknown, debug: boolean): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    // Commander has already printed the help of a group without a subcommand.
    if (error.code === "commander.help") return 2;
    process.stderr.write(`${error.message.replace(/^error: /, "")}\n`);
    return 2;
  }
  if (error instanceof VariegateError) {
    process.stderr.write(`${debug ? (error.stack ?? error.message) : error.message}\n`);
    return error.exitCode;
  }
  const shown = error instanceof Error ? error : new Error(String(error));
  process.stderr.write(`internal error: ${debug ? shown.stack : `${shown.message} (--debug shows the stack)`}\n`);
  return 1;
}
