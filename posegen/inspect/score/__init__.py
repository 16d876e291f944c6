"""Labels decoded again as if a network had predicted them, and scored: whether they say what was annotated."""

from posegen.inspect.score.run import Score, save_score, score

__all__ = ["Score", "save_score", "score"]
