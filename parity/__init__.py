"""What diffusers, transformers and PyTorch compute, recorded as goldens for the TypeScript tests."""
