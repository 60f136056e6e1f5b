/**
 * Changes ONNX Runtime's install script, because a package can set neither environment nor npm config for the scripts of its dependencies: npm
 * reads `.npmrc` and `allowScripts` of the project that installs only. That script fetches the CUDA provider from NuGet on every linux-x64 machine,
 * and a feed that cannot be reached fails the whole installation. The lines added to it here fetch the provider only where an NVIDIA driver is
 * present or a flag asks for it, and turn a failed download into a warning. npm runs this file before the install scripts of all packages.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const MARK = "// Added by variegate/scripts/preinstall.js";

const ADDED = `${MARK}
if (process.env.npm_lifecycle_event === 'postinstall') {
  const asked = Object.keys(process.env).some((key) => /^(npm_config_)?onnxruntime_node_install/i.test(key));
  if (!asked && !require('fs').existsSync('/proc/driver/nvidia/version')) process.env.ONNXRUNTIME_NODE_INSTALL = 'skip';
  process.on('unhandledRejection', (error) => {
    console.warn('The CUDA provider of ONNX Runtime was not fetched: ' + error.message + '. See variegate/docs/gpu.md');
    process.exit(0);
  });
}
`;

/** Path of ONNX Runtime's install script; null where the package is missing. */
function installScript() {
  try {
    return join(
      dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json")),
      "script",
      "install.js",
    );
  } catch {
    return null;
  }
}

const file = installScript();
// A failure here must not fail the installation: at worst it behaves as without this script.
if (file !== null && existsSync(file)) {
  try {
    const text = readFileSync(file, "utf8");
    if (!text.includes(MARK)) writeFileSync(file, `${ADDED}${text}`);
  } catch (error) {
    process.stderr.write(`${file} was not changed: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}
