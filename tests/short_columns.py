"""Columns in chunks of 1,024 cells, in every process that imports this.

Chunks of the shipped length are mostly padding where an archive has tens of cells, which took a
quarter of the tests' processor time. Those of ZARRMAL_EXHAUSTIVE, and of programs, are as shipped.
"""

from every_moment import EXHAUSTIVE

from zarrmal.archive import format as layout

if not EXHAUSTIVE:
    layout.INDEX_CHUNK_CELLS = 1024
