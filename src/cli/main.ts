/** The command line: parses arguments, runs a command, and maps errors to a message and an exit code. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { RequestError, VariegateError } from "../errors.js";
import { withoutCredentials } from "../fleet/fields.js";
import { GROUPS, nearest } from "../schema/fields.js";
import { aliasLine, flagsOf } from "./aliases.js";
import { COMMANDS } from "./commands.js";
import { hasReaderLeft, listenForInterrupt } from "./interrupt.js";
import { HINTS } from "./suggest.js";
import { terminalWidth, wrap } from "./table.js";
import { endProgress } from "./terminal.js";

const HEADINGS = Object.values(GROUPS).map((title) => `${title}:`);

const version = (): string => {
  const json: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return typeof json === "object" && json !== null && "version" in json ? String(json.version) : "unknown";
};

/** Headings in the order of GROUPS; others, as of --help, follow. */
const placeOf = (title: string): number => (HEADINGS.includes(title) ? HEADINGS.indexOf(title) : HEADINGS.length);

/**
 * Creates the program.
 * @param only command to load; the others have a name and a description. Default: all are loaded
 */
export async function createProgram(only?: string): Promise<Command> {
  const program = new Command("variegate")
    .description("Diversity and control for few-step text-to-image models.")
    .version(version())
    .addHelpText(
      "before",
      `Examples:\n  variegate compare\n  variegate generate "a cartoon character wearing a crown" -n 4\n`,
    )
    .addHelpText("afterAll", ({ command }) => `\n${wrap(aliasLine(command), terminalWidth()).join("\n")}`.trimEnd())
    .exitOverride()
    .helpCommand("help [command]", "shows the help of a command")
    .configureHelp({
      groupItems(_, visible, headingOf) {
        const titles = [...new Set(visible.map(headingOf))].sort((a, b) => placeOf(a) - placeOf(b));
        return new Map(titles.map((title) => [title, visible.filter((item) => headingOf(item) === title)]));
      },
    })
    .showSuggestionAfterError(false)
    .configureOutput({ outputError: () => {} });
  for (const [name, { about, load }] of Object.entries(COMMANDS)) {
    const command = program.command(name).description(about);
    if (only === undefined || only === name) (await load())(command);
  }
  return program;
}

/** Removes user names and passwords in URLs from the list of processes, and from the command line that records quote. */
function hideCredentials(): void {
  const shown = process.argv.map(withoutCredentials);
  if (shown.join() === process.argv.join()) return;
  process.title = shown.join(" ");
  process.argv.splice(0, shown.length, ...shown);
}

/** Runs the program with arguments; returns the exit code. */
export async function main(given: readonly string[]): Promise<number> {
  hideCredentials();
  listenForInterrupt();
  // `help X` is `X --help`.
  const args = given[0] === "help" ? [...given.slice(1), "--help"] : [...given];
  let command: Command | undefined;
  try {
    const program = await createProgram(args[0] ?? "");
    command = commandOf(program, args);
    if (command.commands.length > 0 && !args.some((word) => word.startsWith("-"))) {
      command.outputHelp();
      return 0;
    }
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    // Before the message, which would stand behind the bar.
    endProgress();
    if (hasReaderLeft()) return 0;
    return explain(error, command, args.includes("--debug"));
  }
}

/** Command that the first words name. @throws RequestError for an unknown one */
function commandOf(program: Command, words: readonly string[]): Command {
  let command = program;
  for (const word of words) {
    if (word.startsWith("-") || command.commands.length === 0) break;
    const found = command.commands.find((c) => c.name() === word);
    if (!found) {
      const near = nearest(
        word,
        command.commands.map((c) => c.name()),
      );
      throw new RequestError(`unknown command '${word}'\n${near.length > 0 ? meant(near) : listedBy(command)}`);
    }
    command = found;
  }
  return command;
}

const meant = (names: readonly string[]): string => `(Did you mean ${names.join(" or ")}?)`;

/** Path of a command: "variegate models list". */
const pathOf = (command: Command): string => (command.parent ? `${pathOf(command.parent)} ` : "") + command.name();
const listedBy = (command: Command): string => `(${pathOf(command)} --help lists them)`;

/** What to do about an option that a command does not have. */
function adviceOn(option: string, command: Command): string {
  const hint = HINTS[option];
  if (hint !== undefined) return `(${hint})`;
  const flags = flagsOf(command);
  const near = nearest(option, flags.keys()).map((flag) => {
    const listed = flags.get(flag) ?? flag;
    return listed === flag ? flag : `${flag} (${listed})`;
  });
  return near.length > 0 ? meant(near) : listedBy(command);
}

/** Prints an error in one or two lines; returns the exit code. */
function explain(error: unknown, command: Command | undefined, debug: boolean): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    const message = error.message.replace(/^error: /, "");
    const [, option] = error.code === "commander.unknownOption" ? (/'([^'=]+)/.exec(message) ?? []) : [];
    process.stderr.write(`${message}\n${option && command ? `${adviceOn(option, command)}\n` : ""}`);
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
