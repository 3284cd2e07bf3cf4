"""The silhouette of a cell: its mask <-> bits, and the mask <-> coverage of the pixels."""
