/**
 * The errors a caller can meet, each with the facts as fields and a message that states expected and actual.
 * The command line maps a class to its exit code; nothing else in here knows about processes.
 */

/** What every error of Variegate has in common: `exitCode` is what the command line ends with. */
export abstract class VariegateError extends Error {
  abstract readonly exitCode: 2 | 3 | 4 | 130;
  /** The message without the file it is about, for places that name the file themselves. */
  readonly problem: string;

  constructor(message: string, options?: ErrorOptions, problem = message) {
    super(message, options);
    this.name = new.target.name;
    this.problem = problem;
  }
}

/** The request makes no sense: an unknown option, a bad value, a combination that cannot be. */
export class RequestError extends VariegateError {
  readonly exitCode = 2;
  /** The field of the request that is wrong, where it is one: "seeds.0". */
  readonly field: string | undefined;

  constructor(message: string, { field, ...options }: ErrorOptions & { readonly field?: string } = {}) {
    super(message, options);
    this.field = field;
  }
}

/** A file or folder cannot be used: not there, cut short, not what it says it is. */
export class FileError extends VariegateError {
  readonly exitCode = 3;
  readonly file: string;

  constructor(file: string, problem: string, options?: ErrorOptions) {
    super(`${file}: ${problem}`, options, problem);
    this.file = file;
  }
}

/** A config asks for something that is not supported; refused by its name before anything is loaded. */
export class UnsupportedConfigError extends VariegateError {
  readonly exitCode = 3;
  readonly file: string;
  readonly key: string;
  readonly actual: unknown;
  readonly supported: string;

  constructor(facts: { file: string; key: string; actual: unknown; supported: string }) {
    const problem = `${facts.key} = ${JSON.stringify(facts.actual)} is not supported; supported: ${facts.supported}`;
    super(`${facts.file}: ${problem}`, undefined, problem);
    this.file = facts.file;
    this.key = facts.key;
    this.actual = facts.actual;
    this.supported = facts.supported;
  }
}

/** A weight that the config asks for is not in the file. */
export class WeightMissingError extends VariegateError {
  readonly exitCode = 3;
  readonly tensor: string;
  readonly file: string;

  constructor(facts: { tensor: string; file: string }) {
    const asked = "the config asks for it";
    super(`${facts.tensor} is missing from ${facts.file}; ${asked}`, undefined, `${facts.tensor} is missing; ${asked}`);
    this.tensor = facts.tensor;
    this.file = facts.file;
  }
}

/** A weight is there with another shape than the config asks for. */
export class WeightShapeError extends VariegateError {
  readonly exitCode = 3;
  readonly tensor: string;
  readonly file: string;
  readonly expected: readonly number[];
  readonly actual: readonly number[];

  constructor(facts: { tensor: string; file: string; expected: readonly number[]; actual: readonly number[] }) {
    const show = (shape: readonly number[]) => `[${shape.join(", ")}]`;
    const found = `is ${show(facts.actual)}; the config asks for ${show(facts.expected)}`;
    super(`${facts.tensor} in ${facts.file} ${found}`, undefined, `${facts.tensor} ${found}`);
    this.tensor = facts.tensor;
    this.file = facts.file;
    this.expected = facts.expected;
    this.actual = facts.actual;
  }
}

/** A tensor of an adapter has another shape than the layer it changes asks for; a dimension that is free has a name, such as "rank". */
export class AdapterShapeError extends FileError {
  readonly tensor: string;
  readonly layer: string;
  readonly expected: readonly (number | string)[];
  readonly actual: readonly number[];

  constructor(facts: {
    file: string;
    tensor: string;
    layer: string;
    expected: readonly (number | string)[];
    actual: readonly number[];
  }) {
    const show = (shape: readonly (number | string)[]) => `[${shape.join(", ")}]`;
    super(facts.file, `${facts.tensor} is ${show(facts.actual)}; ${facts.layer} asks for ${show(facts.expected)}`);
    this.tensor = facts.tensor;
    this.layer = facts.layer;
    this.expected = facts.expected;
    this.actual = facts.actual;
  }
}

/** A tensor of a file holds NaN or an infinite value where only finite ones can be used. */
export class NonFiniteTensorError extends FileError {
  readonly tensor: string;
  readonly value: number;

  constructor(facts: { file: string; tensor: string; value: number }) {
    super(facts.file, `${facts.tensor} holds ${facts.value}; expected finite values`);
    this.tensor = facts.tensor;
    this.value = facts.value;
  }
}

/** A network gave NaN or infinity: its weights are damaged, or it overflows in the type it computes in. */
export class NonFiniteError extends VariegateError {
  readonly exitCode = 3;
  readonly network: string;
  /** The call in which it happened. */
  readonly at: string;

  constructor(facts: { network: string; at: string }) {
    super(
      `${facts.network} gave NaN or infinity at ${facts.at}; its weights may be damaged (variegate models check), or overflow: try --compute float32`,
    );
    this.network = facts.network;
    this.at = facts.at;
  }
}

/** The machine cannot run it: no such device, not enough memory, a full disk. */
export class MachineError extends VariegateError {
  readonly exitCode = 4;
}

/** The system's code of an error, such as "ENOSPC"; "" where it has none. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";

/** The first line of an error's message, for a message that gives it as the reason. */
export const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
