/** A process that writes one file again and again: `writer.ts FILE VALUE BYTES TIMES`. */
import { writeWhole } from "../../src/files/index.js";

const [file = "", value, bytes, times] = process.argv.slice(2);
for (let i = 0; i < Number(times); i++) await writeWhole(file, Buffer.alloc(Number(bytes), Number(value)));
