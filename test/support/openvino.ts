/** Whether OpenVINO is installed here: pip install openvino. Tests of it are skipped where it is not. */
import { existsSync, readFileSync } from "node:fs";
import { findLibrary } from "../../src/runtime/node/openvino/library.js";

export const openVino: string | null = findLibrary();

/** Whether this processor has instructions for bfloat16, which OpenVINO refuses without. */
export const bfloat16 =
  existsSync("/proc/cpuinfo") && /avx512_bf16|amx_bf16/.test(readFileSync("/proc/cpuinfo", "utf8"));
