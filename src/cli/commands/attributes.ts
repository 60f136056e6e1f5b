/** Options that ask for semantic diversity by attributes, shared by the commands that measure images. */
import { z } from "zod";
import { grouped, option } from "../../schema/index.js";

/** "8", "off", or a file. */
const readSelfCheck = (value: string) => (/^\d+$/.test(value) ? Number(value) : value);

export const attributeFields = grouped("task", {
  attributes: option(z.string().min(1), {
    flag: "--attributes <file>",
    about: "JSON file of attributes, or auto: those of each prompt's noun; for semantic diversity by CLIP",
  }),
  selfCheck: option(z.union([z.int().min(2), z.string().min(1)]), {
    flag: "--self-check <n>",
    about:
      "images of each attribute value to check CLIP and model with, off, or self-check.json of an earlier run (default: 4)",
    read: readSelfCheck,
    expected: "a number of at least 2, off, or a file",
  }),
} as const);
