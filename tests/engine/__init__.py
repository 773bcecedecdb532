"""The engine: allocation and its reasons."""
