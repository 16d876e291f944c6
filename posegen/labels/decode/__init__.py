"""How what a network predicts becomes people: what a label that can tell has, and the arithmetic that several share.

Each label decodes in its own file, beside its drawing, and says how: `decoder`, in words. Which of the protocols
it has is what it can do; `posegen.decode` asks for no label by its name.
"""

from posegen.labels.decode.protocols import (
    DoubtfulLabel,
    FieldLabel,
    FindingLabel,
    JoiningLabel,
    LocatingLabel,
    PeakLabel,
    Peaks,
)

__all__ = ["DoubtfulLabel", "FieldLabel", "FindingLabel", "JoiningLabel", "LocatingLabel", "PeakLabel", "Peaks"]
