"""What goldens keep of trained LoRAs: the shapes of all matrices, and some values of each."""

from peft.tuners.lora import LoraLayer


def lora_matrices(layers, most):
    """Rows [layer, shape of down, shape of up], and at most this many values of each matrix at a stride, by name.

    `layers` are pairs of a name and a layer of PEFT, or its matrices (down, up).
    """
    tensors, listed = {}, []
    for layer, own in layers:
        down, up = (own.lora_A["default"].weight, own.lora_B["default"].weight) if isinstance(own, LoraLayer) else own
        listed.append([layer, list(down.shape), list(up.shape)])
        for key, value in {f"{layer}.down": down, f"{layer}.up": up}.items():
            tensors[key] = value.detach().flatten()[:: -(-value.numel() // most)]
    return listed, tensors
