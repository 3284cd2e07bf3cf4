"""Write an archive from a folder of images with one sub-folder a class.

python examples/make_cells.py cells --n-cells 400
python examples/write_from_folder.py cells cells.zarr
"""

from __future__ import annotations

import sys

import zarrmal
from zarrmal.learn import TrainOptions

folder, archive = sys.argv[1:3]

# The slide of a cell stands at the start of its file name; data are split by slide.
source = zarrmal.open_source(folder, channel="red", size=50, group_pattern=r"slide-\d+")
print(source.description)

# A small network and a short training, to be quick. Leave both out for those of the paper.
trained = zarrmal.train(source, options=TrainOptions(hidden=(96, 48, 12), epochs=30))
trained.model.save(archive + ".zmal")
print(trained.model)

info = zarrmal.write(source, archive, model=trained.model)
print(f"{info.n_cells} cells, {info.bits_per_pixel:.2f} bits/pixel with everything counted")
