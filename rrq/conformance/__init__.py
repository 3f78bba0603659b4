"""Proof for other languages: test vectors, and checks of executors and producers by them."""
