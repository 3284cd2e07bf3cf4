"""The coefficients of the JPEG pictures that cells came from: out of files, and out of pixels.

`find_cell` is where pixels become coefficients:

    preimage → phase → cameras (tables, repair) → solve/ (whole, cut blocks) → FoundCell

`survey` finds the cameras of many cells first. See docs/lattice.md.
"""
