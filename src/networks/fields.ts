/** Part of this room that describes requests. Help and options load it without the code that runs models. */

/**
 * float32: all operations, the default. float16: weights and activations on a GPU, except in normalisations and softmax. bfloat16: weights
 * and activations on OpenVINO, except the sines and cosines of a timestep. int8: quantised matrices of the UNet on the CPU, without its
 * convolutions.
 */
export const COMPUTES = ["float32", "float16", "bfloat16", "int8"] as const;
