"""CALIC, lossless, for grey images of 8 bits: no library has it, and it must be compared with.

After X. Wu and N. Memon, "Context-Based, Adaptive, Lossless Image Coding", IEEE Transactions on
Communications 45(4), 1997; "the paper" in this folder. Its sections are named by their titles. The
bytes are our own, no standard's; sizes are held against those of the authors' program by
`tests/test_calic.py`.

What the paper leaves open, and two things that it does not have, were chosen by those sizes and
on cells:

- A pixel more than 24 grey levels off its prediction teaches the mean error of its context nothing
  (contexts.OUTLIER), and the size of that mean joins the energy in choosing a histogram
  (contexts.BIAS_LEVELS). The paper has neither: the authors' sizes are met without them too, but
  sheets of cells on black, whose hard edges spoil the mean, come 5% larger.
- Predictions and means keep three bits below the point (predictor.FRACTION_LOG2).
- Histograms begin flat at 1, grow by 2, and are halved (histograms.INCREMENT, LIMIT).

So the authors' sizes are what this was fitted to, no independent proof; and it was fitted to these
cells as well, which favours it in our tables.

It needs numba, in the extra `bench`.
"""

from .codec import decode, encode

__all__ = ["decode", "encode"]
