"""Tuning a small model to plan: examples → prompts through the real linker → a LoRA adapter → GGUF.

`python -m agent.tuning` does all of it; it needs the extra `deep` and, to be done in minutes, a GPU.
"""
