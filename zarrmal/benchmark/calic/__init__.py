"""CALIC, lossless, for grey images of 8 bits. It is a rival of the paper, and no library has it.

After X. Wu and N. Memon, "Context-Based, Adaptive, Lossless Image Coding", IEEE Transactions on
Communications 45(4), 1997; "the paper" in this folder. Its sections are named by their titles. The
byte layout is our own; `tests/test_calic.py` compares sizes with those of the authors' program.

Details that the paper leaves open, and two additions, were chosen by those sizes and on cells:

- A pixel more than 24 grey levels off its prediction does not update the mean error of its context
  (contexts.OUTLIER), and the size of that mean joins the energy in choosing a histogram
  (contexts.BIAS_LEVELS). The paper has neither. The authors' sizes are met without them too, but
  sheets of cells on black, whose hard edges spoil the mean, become 5% larger.
- Predictions and means have three fractional bits (predictor.FRACTION_LOG2).
- Histograms start flat at 1, grow by 2, and are halved (histograms.INCREMENT, LIMIT).

So agreement with the authors' sizes is a fit, not an independent proof. The fit to cells favours
CALIC in our tables.

It needs numba, in the extra `bench`.
"""

from .codec import decode, encode

__all__ = ["decode", "encode"]
