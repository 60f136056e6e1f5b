/** Writes safetensors files one tensor at a time. */
import { writeWhole } from "../../files/index.js";
import { bytesOf, type FloatTensor } from "../../tensor/index.js";
import { head } from "../safetensors.js";

/** A tensor that is read when it is written. */
export interface LazyTensor {
  readonly name: string;
  readonly shape: readonly number[];
  read(): Promise<FloatTensor>;
}

/** Writes a file of float32 tensors in sequence, to hold only one in memory. @throws FileError, MachineError */
export async function writeTensors(file: string, tensors: readonly LazyTensor[]): Promise<void> {
  await writeWhole(file, async (sink) => {
    await sink.write(head(tensors, { format: "pt" }));
    for (const tensor of tensors) await sink.write(bytesOf((await tensor.read()).data));
  });
}
