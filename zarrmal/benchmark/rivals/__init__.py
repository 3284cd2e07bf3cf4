"""Other lossless coders, each behind one small adapter with the best settings found.

Settings and layouts were compared on sheets of 1,000 NIH cells, red alone and RGB, sorted by class;
what lost is left out. imagecodecs is imported late: only the benchmark, the study and the demo need
these coders. It is a core dependency already (compressed TIFF); only CALIC needs an extra, `bench`.
"""

from .choice import all_rivals, named_rivals
from .rival import SHEET_COLUMNS, Rival
from .versions import library_versions

__all__ = ["SHEET_COLUMNS", "Rival", "all_rivals", "library_versions", "named_rivals"]
