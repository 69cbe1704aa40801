"""Embedders: texts to vectors, offline or by a provider, behind the port `tools.ports.Embedder`."""
