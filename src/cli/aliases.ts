/** Names of other tools for options: they set the same value, and help lists them in one line. */
import { type Command, Option } from "commander";

/** Option of help for those that it does not list: aliases, and flags of a part of the value. */
export const listedAs = new WeakMap<Option, Option>();

/** Another name of an option: sets the same value. */
export class Alias extends Option {
  constructor(
    flag: string,
    private readonly of: Option,
  ) {
    super(flag, of.description);
    listedAs.set(this.hideHelp(), of);
  }
  override attributeName(): string {
    return this.of.attributeName();
  }
}

/** "--out" of "-o, --out <dir>". */
export const longOf = (flag: string): string => /--[\w-]+/.exec(flag)?.[0] ?? flag;

/** Names from other tools that a command understands, in one line; "" if there are none. */
export function aliasLine({ options }: Pick<Command, "options">): string {
  const names = new Map<Option, string[]>();
  for (const option of options) {
    const listed = listedAs.get(option);
    if (listed) names.set(listed, [...(names.get(listed) ?? []), option.long ?? option.short ?? ""]);
  }
  const all = [...names].map(([option, aliases]) => `${aliases.join(", ")} (${longOf(option.flags)})`);
  return all.length === 0 ? "" : `Also understood: ${all.join("; ")}`;
}

/** Flags of a command under which an option may be meant, each with the flag that help lists. */
export const flagsOf = ({ options }: Pick<Command, "options">): Map<string, string> =>
  new Map(
    options.flatMap((o) => {
      const listed = longOf((listedAs.get(o) ?? o).flags);
      return o.long && (listedAs.has(o) || !o.hidden) ? [[o.long, listed] as const] : [];
    }),
  );
