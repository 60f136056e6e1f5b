/**
 * OpenVINO's shared library, where it is installed: found in the places of Python's packages and of Intel's archives, and called by its C
 * interface (openvino/c/*.h) through koffi.
 */
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import type { LibraryHandle } from "koffi";

/** What the C interface returns for success. */
const OK = 0;

type Native = (...given: readonly unknown[]) => unknown;

/** A pointer of the library, or null. */
export type Pointer = unknown;

/** Functions of the C interface by name. Those that return a status throw its message unless it is 0. */
export interface OpenVino {
  readonly koffi: typeof import("koffi");
  /** Folder of the library. */
  readonly folder: string;
  /** Calls a function that returns a status. @throws Error with OpenVINO's message */
  call(name: keyof typeof FUNCTIONS, ...given: readonly unknown[]): void;
  /** Calls a function whose last argument receives a pointer, and returns the pointer. @throws Error as `call` */
  make(name: keyof typeof FUNCTIONS, ...given: readonly unknown[]): Pointer;
  /** Releases what a function made. */
  free(name: keyof typeof RELEASES, pointer: Pointer): void;
}

/** Signatures: the parameters of functions that return a status. */
const FUNCTIONS = {
  ov_core_create: "_Out_ void **core",
  ov_core_get_property: "void *core, const char *device, const char *key, _Out_ char **value",
  ov_core_read_model_from_memory_buffer:
    "void *core, const void *model, size_t length, void *weights, _Out_ void **made",
  ov_core_compile_model: "void *core, void *model, const char *device, size_t count, _Out_ void **compiled, ...",
  ov_compiled_model_create_infer_request: "void *compiled, _Out_ void **request",
  ov_model_const_input_by_name: "void *model, const char *name, _Out_ void **port",
  ov_port_get_element_type: "void *port, _Out_ int *type",
  ov_tensor_create_from_host_ptr: "int type, VariegateShape shape, void *data, _Out_ void **tensor",
  ov_tensor_get_shape: "void *tensor, _Out_ VariegateShape *shape",
  ov_tensor_get_size: "void *tensor, _Out_ size_t *size",
  ov_tensor_data: "void *tensor, _Out_ void **data",
  ov_infer_request_set_tensor: "void *request, const char *name, void *tensor",
  ov_infer_request_get_tensor: "void *request, const char *name, _Out_ void **tensor",
  ov_infer_request_infer: "void *request",
} as const;

/** Functions that release what others made. */
const RELEASES = {
  ov_core_free: "void *core",
  ov_model_free: "void *model",
  ov_compiled_model_free: "void *compiled",
  ov_infer_request_free: "void *request",
  ov_tensor_free: "void *tensor",
  ov_output_const_port_free: "void *port",
  ov_shape_free: "VariegateShape *shape",
  ov_free: "void *content",
} as const;

/** The C interface: libopenvino_c.so.2641, libopenvino_c.dylib, openvino_c.dll. */
const NAME = /^(?:lib)?openvino_c\.(?:so(?:\.\d+)*|\d*\.?dylib|dll)$/;

/** Where Python keeps packages below a prefix. */
function sitePackages(prefix: string): string[] {
  const lib = path.join(prefix, "lib");
  const pythons = existsSync(lib) ? readdirSync(lib).filter((name) => /^python3/.test(name)) : [];
  return pythons.flatMap((name) => ["site-packages", "dist-packages"].map((kind) => path.join(lib, name, kind)));
}

/** Folders in which to look for OpenVINO, the first that has it counts. */
export function folders(env: NodeJS.ProcessEnv = process.env): string[] {
  const { VARIEGATE_OPENVINO: named, INTEL_OPENVINO_DIR: archive, VIRTUAL_ENV: venv, CONDA_PREFIX: conda } = env;
  if (named) return [named];
  const prefixes = [venv, conda, path.join(os.homedir(), ".local"), "/usr/local", "/usr"].flatMap((p) => p ?? []);
  return [
    ...(archive
      ? [path.join(archive, "runtime", "lib", "intel64"), path.join(archive, "runtime", "bin", "intel64", "Release")]
      : []),
    ...prefixes.flatMap(sitePackages).map((packages) => path.join(packages, "openvino", "libs")),
    "/usr/lib/x86_64-linux-gnu",
  ];
}

/** Path of the C interface in the first folder that has it; null where there is none. */
export function findLibrary(env: NodeJS.ProcessEnv = process.env): string | null {
  for (const folder of folders(env)) {
    const file = existsSync(folder) ? readdirSync(folder).find((name) => NAME.test(name)) : undefined;
    if (file !== undefined) return path.join(folder, file);
  }
  return null;
}

/** Loads OpenVINO. @throws Error that says what is missing, and how to install it */
export function loadOpenVino(): OpenVino {
  const file = findLibrary();
  if (file === null) {
    const named = process.env["VARIEGATE_OPENVINO"];
    throw new Error(
      `backend not found: there is no libopenvino_c in ${named ?? "the folders of Python's packages"}; pip install openvino, and set VARIEGATE_OPENVINO to its folder openvino/libs`,
    );
  }
  const koffi = loadKoffi();
  const folder = path.dirname(file);
  const library = koffi.load(file);
  if (!structs.has(koffi)) structs.set(koffi, koffi.struct("VariegateShape", { rank: "int64_t", dims: "int64_t *" }));
  const lastError = library.func("const char *ov_get_last_err_msg()");
  const functions = bind(library, "int", FUNCTIONS);
  const releases = bind(library, "void", RELEASES);
  const call = (name: keyof typeof FUNCTIONS, ...given: readonly unknown[]): void => {
    const status: unknown = functions[name](...given);
    if (status !== OK) throw new Error(worded(String(lastError() ?? ""), name, Number(status)));
  };
  return {
    koffi,
    folder,
    call,
    make(name, ...given) {
      const out: [Pointer] = [null];
      call(name, ...given, out);
      return out[0];
    },
    free: (name, pointer) => void releases[name](pointer),
  };
}

/** The struct is registered once for each koffi, by name. */
const structs = new WeakMap<object, unknown>();

function loadKoffi(): typeof import("koffi") {
  try {
    return createRequire(import.meta.url)("koffi");
  } catch (error) {
    throw new Error(
      `backend not found: openvino needs the package koffi, which npm could not install here (npm i koffi)`,
      {
        cause: error,
      },
    );
  }
}

function bind<K extends string>(library: LibraryHandle, result: string, all: Readonly<Record<K, string>>) {
  const bound: Partial<Record<K, Native>> = {};
  for (const name in all) bound[name] = library.func(`${result} ${name}(${all[name]})`);
  return bound as Record<K, Native>;
}

/** OpenVINO's message without the places in its source. */
function worded(message: string, name: string, status: number): string {
  const lines = message
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/^(Exception from|Check '.*' failed at) /.test(line));
  return lines.length > 0 ? lines.join(" ") : `${name} failed with status ${status}`;
}
