"""Makes the embedded pair from nothing: world, autoencoder, text encoders, judge, base, distilled models, adapters."""
