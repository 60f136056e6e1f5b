/** SHA-256 of distilled models' files as their authors published them, by reference. Files not listed are recognised by other properties. */
const hyper = (file: string) => `ByteDance/Hyper-SD/${file}.safetensors`;
const lightning = (file: string) => `ByteDance/SDXL-Lightning/sdxl_lightning_${file}.safetensors`;

export const SHA256: Readonly<Record<string, readonly string[]>> = {
  // In single and in half precision.
  "tianweiy/DMD2/dmd2_sdxl_4step_lora_fp16.safetensors": [
    "b3d9173815a4b595991c3a7a0e0e63ad821080f314a0b2a3cc31ecd7fcf2cbb8",
    "a374289e9446d7f14d2037c4b3770756b7b52c292142a691377c3c755010a1bb",
  ],
  [lightning("1step_unet_x0")]: ["14d53ad5b440a37fc0f429d595d96bf144c5dd842aa5747383e6098c9dbfa644"],
  [lightning("4step_unet")]: ["39a90a8a2a25c1372633c1e8eb1a96f85eab937bcb58cfc6ec9baf66242ec23c"],
  [lightning("4step_lora")]: ["bf56cf2657efb15e465d81402ed481d1e11c4677e4bcce1bc11fe71ad8506b79"],
  "latent-consistency/lcm-sdxl": ["dce0636b11d99c1d960608bb6fa71923f1ae2365b89a38b49e1a0193a0fc1c43"],
  "latent-consistency/lcm-lora-sdxl/pytorch_lora_weights.safetensors": [
    "a764e6859b6e04047cd761c08ff0cee96413a8e004c9f07707530cd776b19141",
  ],
  "latent-consistency/lcm-lora-sdv1-5/pytorch_lora_weights.safetensors": [
    "8f90d840e075ff588a58e22c6586e2ae9a6f7922996ee6649a7f01072333afe4",
  ],
  "latent-consistency/lcm-lora-ssd-1b/pytorch_lora_weights.safetensors": [
    "7adaaa69db6f011058a19fd1d5315fdf19ef79fcd513cdab30e173833fd5c59b",
  ],
  [hyper("Hyper-SDXL-1step-lora")]: ["c912df184c5116792d2c604d26c6bc2aa916685f4a793755255cda1c43a3c78a"],
  [hyper("Hyper-SDXL-2steps-lora")]: ["69b25c0187ced301c3603c599c0bc509ac99b8ac34db89a2aecc3d5f77a35187"],
  [hyper("Hyper-SDXL-4steps-lora")]: ["12f81a27d00a751a40d68fd15597091896c5a90f3bd632fb6c475607cbdad76e"],
  [hyper("Hyper-SDXL-8steps-lora")]: ["ca689190e8c46038550384b5675488526cfe5a40d35f82b27acb75c100f417c1"],
  [hyper("Hyper-SDXL-8steps-CFG-lora")]: ["55b51334c85061afff5eff7c550b61963c8b8607a5868bbe4f26db49374719b1"],
  [hyper("Hyper-SDXL-12steps-CFG-lora")]: ["0b97f447b5878323a28fbe7c51ba7acebd21f4d77552ba77b04b11c8911825b6"],
  [hyper("Hyper-SD15-1step-lora")]: ["a04fd9a535c1e56d38f7590ee72a13fd5ca0409853b4fff021e5a9482cf1ca3b"],
  [hyper("Hyper-SD15-2steps-lora")]: ["2f26dcc1d883feb07557a552315baae2ca2a04ac08556b08a355a244547e8c3a"],
  [hyper("Hyper-SD15-4steps-lora")]: ["c5dd058616461ed5053e2b14eec4dbe3fa0eea3b13688642f6d6c80ea2ba5958"],
  [hyper("Hyper-SD15-8steps-lora")]: ["91fc3186236e956d64dbb4357f2e120c69b968b78af7d2db9884a5ca74d3cd13"],
  [hyper("Hyper-SD15-8steps-CFG-lora")]: ["f6123d5b950d5250ab6c33600e27f4dcf71b3099ebf888685e01e9e8117ce482"],
  [hyper("Hyper-SD15-12steps-CFG-lora")]: ["64b98437383537cd968fda6f87a05c33160ece9c79ff4757949a1e212ff78361"],
  "jasperai/flash-sdxl/pytorch_lora_weights.safetensors": [
    "afe2ca6e27c4c6087f50ef42772c45d7b0efbc471b76e422492403f9cae724d7",
  ],
  "jasperai/flash-sd/pytorch_lora_weights.safetensors": [
    "99353444c1a0f40719a1b3037049dbd24800317979a73c312025c05af3574a5f",
  ],
  "h1t/TCD-SDXL-LoRA/pytorch_lora_weights.safetensors": [
    "2c777bc60abf41d3eb0fe405d23d73c280a020eea5adf97a82a141592c33feba",
  ],
  "h1t/TCD-SD15-LoRA/pytorch_lora_weights.safetensors": [
    "eaecb24a1cda4411eab67275b1d991071216ac93693e8fa0c9226c9df0386232",
  ],
};
