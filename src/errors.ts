/**
 * Error classes of the public API. Each has the facts as fields and a message that states the expected and the actual value.
 * Independent of processes, except for the exit code that the command line uses.
 */

/**
 * Base class of all errors of Variegate. `exitCode` is the exit status of the command line. Each class states its name, since bundlers shorten
 * names of classes.
 */
export abstract class VariegateError extends Error {
  abstract readonly exitCode: 2 | 3 | 4 | 130;
  /** The message without the file it is about, for places that name the file themselves. */
  readonly problem: string;

  constructor(message: string, options?: ErrorOptions, problem = message) {
    super(message, options);
    this.problem = problem;
  }
}

/** Invalid request: an unknown option, a value out of range, or an unsupported combination. */
export class RequestError extends VariegateError {
  override readonly name: string = "RequestError";
  readonly exitCode = 2;
  /** Path of the invalid field, such as "seeds.0"; undefined when no single field is at fault. */
  readonly field: string | undefined;

  constructor(message: string, { field, ...options }: ErrorOptions & { readonly field?: string } = {}) {
    super(message, options);
    this.field = field;
  }
}

/** Unusable file or folder: missing, truncated, or not in the expected format. */
export class FileError extends VariegateError {
  override readonly name: string = "FileError";
  readonly exitCode = 3;
  readonly file: string;

  constructor(file: string, problem: string, options?: ErrorOptions) {
    super(`${file}: ${problem}`, options, problem);
    this.file = file;
  }
}

/** Unsupported value in a config. Thrown before any weight is loaded. */
export class UnsupportedConfigError extends VariegateError {
  override readonly name: string = "UnsupportedConfigError";
  readonly exitCode = 3;
  readonly file: string;
  readonly key: string;
  readonly actual: unknown;
  /** Supported values, in words. */
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

/** A weight that the config requires is missing from the checkpoint. */
export class WeightMissingError extends VariegateError {
  override readonly name: string = "WeightMissingError";
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

type Shape = readonly (number | string)[];

/** "is [1, 2]; the config asks for [3, 4]". */
function mismatch({ actual, expected }: { readonly actual: Shape; readonly expected: Shape }, by: string): string {
  const show = (shape: Shape) => `[${shape.join(", ")}]`;
  return `is ${show(actual)}; ${by} asks for ${show(expected)}`;
}

/** A weight has a different shape than the config requires. */
export class WeightShapeError extends VariegateError {
  override readonly name: string = "WeightShapeError";
  readonly exitCode = 3;
  readonly tensor: string;
  readonly file: string;
  readonly expected: readonly number[];
  readonly actual: readonly number[];

  constructor(facts: { tensor: string; file: string; expected: readonly number[]; actual: readonly number[] }) {
    const found = mismatch(facts, "the config");
    super(`${facts.tensor} in ${facts.file} ${found}`, undefined, `${facts.tensor} ${found}`);
    this.tensor = facts.tensor;
    this.file = facts.file;
    this.expected = facts.expected;
    this.actual = facts.actual;
  }
}

/** An adapter's tensor has a different shape than its layer requires. In `expected`, a free dimension has a name, such as "rank". */
export class AdapterShapeError extends FileError {
  override readonly name: string = "AdapterShapeError";
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
    super(facts.file, `${facts.tensor} ${mismatch(facts, facts.layer)}`);
    this.tensor = facts.tensor;
    this.layer = facts.layer;
    this.expected = facts.expected;
    this.actual = facts.actual;
  }
}

/** A tensor in a file contains NaN or infinity. */
export class NonFiniteTensorError extends FileError {
  override readonly name: string = "NonFiniteTensorError";
  readonly tensor: string;
  readonly value: number;

  constructor(facts: { file: string; tensor: string; value: number }) {
    super(facts.file, `${facts.tensor} contains ${facts.value}; expected finite values`);
    this.tensor = facts.tensor;
    this.value = facts.value;
  }
}

/** The output of a network contains NaN or infinity: its weights are damaged, or a value overflows its compute type. */
export class NonFiniteError extends VariegateError {
  override readonly name: string = "NonFiniteError";
  readonly exitCode = 3;
  readonly network: string;
  /** The call that failed, in words: a step, a prompt. */
  readonly at: string;
  /** File of the network's weights; of the damaged weight where there is one. */
  readonly file: string;
  /** The first weight that contains NaN or infinity; null where all are finite. */
  readonly tensor: string | null;

  constructor(facts: { network: string; at: string; file: string; tensor: string | null }) {
    const { network, at, file, tensor } = facts;
    const why =
      tensor === null
        ? `the weights in ${file} are finite, so values overflow: try --compute float32, or smaller scales of adapters`
        : `${tensor} in ${file} contains NaN or infinity: the file is damaged`;
    super(`${network} returned NaN or infinity at ${at}; ${why}`);
    this.network = network;
    this.at = at;
    this.file = file;
    this.tensor = tensor;
  }
}

/** The machine cannot run the request: the device is missing, or memory or disk space is insufficient. */
export class MachineError extends VariegateError {
  override readonly name: string = "MachineError";
  readonly exitCode = 4;
}

/** System error code, such as "ENOSPC"; "" where there is none. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";

/** First line of an error's message, to quote as a reason. */
export const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
