"""Where `posegen.loader.torch` and `posegen.loader.tensorflow` were before: imports in training loops go on working."""
