/** SwiftShader, Vulkan on the processor, which Debian's and Ubuntu's package chromium has: WebGPU for tests without a graphics card. */
import { existsSync } from "node:fs";

const FOLDER = "/usr/lib/chromium";
const DRIVER = `${FOLDER}/vk_swiftshader_icd.json`;

/** Environment of a process that finds SwiftShader; null where it is not installed. */
export const swiftshader: Readonly<Record<string, string>> | null = existsSync(DRIVER)
  ? { LD_LIBRARY_PATH: FOLDER, VK_ICD_FILENAMES: DRIVER }
  : null;
