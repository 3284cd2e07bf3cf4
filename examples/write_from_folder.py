"""Write an archive from a folder of images with one subfolder per class.

python examples/make_cells.py cells --n-cells 400
python examples/write_from_folder.py cells cells.zarr
"""

from __future__ import annotations

import sys

import zarrmal

folder, archive = sys.argv[1:3]

# The file name of a cell starts with its slide. Data are split by slide.
source = zarrmal.open_source(folder, channel="red", size=50, group_pattern=r"slide-\d+")
print(source.description)

# Uses the model that zarrmal ships. zarrmal.train(source) trains one on your own cells, with torch.
info = zarrmal.write(source, archive)
print(f"{info.n_cells} cells, {info.bits_per_pixel:.2f} bits/pixel, everything included")
