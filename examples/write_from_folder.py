"""Write an archive from a folder of images with one sub-folder a class.

python examples/make_cells.py cells --n-cells 400
python examples/write_from_folder.py cells cells.zarr
"""

from __future__ import annotations

import sys

import zarrmal

folder, archive = sys.argv[1:3]

# The slide of a cell stands at the start of its file name; data are split by slide.
source = zarrmal.open_source(folder, channel="red", size=50, group_pattern=r"slide-\d+")
print(source.description)

# With the model that ships. zarrmal.train(source) makes one of your own cells; it needs torch.
info = zarrmal.write(source, archive)
print(f"{info.n_cells} cells, {info.bits_per_pixel:.2f} bits/pixel with everything counted")
