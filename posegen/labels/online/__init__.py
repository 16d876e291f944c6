"""The renderers as functions, for training loops that draw labels on the fly: the very code that builds datasets.

`arrays` draws NumPy arrays, `torch` and `tensorflow` batches of tensors, each with its optional package; `windows` is
what these two share.
"""
