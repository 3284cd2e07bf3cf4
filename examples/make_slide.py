"""Draw a small slide: a pyramidal TIFF of JPEG tiles, as scanners write them.

python examples/make_slide.py slide.svs
"""

from __future__ import annotations

import sys

from zarrmal.segment.synthetic import draw_slide, write_slide

write_slide(sys.argv[1], draw_slide())
