"""A doctor of annotations: what is probably wrong with them, how sure that is, and what can be put right by itself.

`sides`, `shapes`, `twice` and `pictures` each look for some of it, `run` asks them all, `mend` writes what is certain,
`sheet` draws the worst.
"""

from posegen.inspect.doctor.mend import write_mended
from posegen.inspect.doctor.run import examine
from posegen.inspect.doctor.sheet import save_suspects
from posegen.inspect.doctor.suspicion import KINDS, Examination, Suspicion

__all__ = ["KINDS", "Examination", "Suspicion", "examine", "save_suspects", "write_mended"]
