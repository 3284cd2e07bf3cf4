"""Other lossless coders, each behind one small adapter with the best settings known.

Settings and layouts were compared on sheets of 1,000 NIH cells, red alone and RGB, sorted by class;
those that lost are left out. imagecodecs is imported late: only the benchmark, the study and the
demo need these coders. It is a core dependency already (compressed TIFF); only CALIC needs an
extra, `bench`.
"""

from .catalogue import all_rivals, named_rivals
from .jpeg_files import measure_jpeg_files
from .measure import measure_rival, measure_rivals
from .rival import Rival

__all__ = [
    "Rival",
    "all_rivals",
    "measure_jpeg_files",
    "measure_rival",
    "measure_rivals",
    "named_rivals",
]
