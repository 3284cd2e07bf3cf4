"""Stacked autoencoder in integers: cells -> latent vectors -> predicted cells (FORMAT 3.4).

Dong, Pan and Wu (Entropy 2019, 21(11), 1062) stack 2500-1500-500-30 and its mirror image. The
encoder's weights are the decoder's, transposed (tied weights, Vincent et al. 2010): an archive
that can be decoded can also be added to, and the encoder costs only its biases.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .class_model import ClassModel
from .errors import ModelError
from .network import Network


class Autoencoder:
    """The SAE of one class.

    Parameters
    ----------
    model
        Has the networks "decoder" (latent int8 -> pixel uint8) and "encoder" (the inverse).
    n_pixels
        Pixel values of one cell.

    Raises
    ------
    ModelError
        If the networks do not run from pixels to latents and back.
    """

    def __init__(self, model: ClassModel, n_pixels: int) -> None:
        decoder, encoder = model.network("decoder"), model.network("encoder")
        ends = [
            ("decoder", decoder[0].input, "int8"),
            ("decoder", decoder[-1].output, "uint8"),
            ("encoder", encoder[0].input, "uint8"),
            ("encoder", encoder[-1].output, "int8"),
        ]
        for network, found, wanted in ends:
            if found != wanted:
                raise ModelError(
                    f"class {model.name!r}: the {network} ends in {found}, not in {wanted}"
                )
        self.n_latents = decoder[0].n_inputs
        if (decoder[-1].n_outputs, encoder[0].n_inputs) != (n_pixels, n_pixels):
            raise ModelError(
                f"class {model.name!r}: a cell has {n_pixels} pixel values, the networks "
                f"predict {decoder[-1].n_outputs} from {encoder[0].n_inputs}"
            )
        if encoder[-1].n_outputs != self.n_latents:
            raise ModelError(
                f"class {model.name!r}: the encoder gives {encoder[-1].n_outputs} "
                f"latents, the decoder takes {self.n_latents}"
            )
        self._decoder, self._encoder = Network(decoder), Network(encoder)

    def encode(self, pixels: NDArray[np.uint8]) -> NDArray[np.int8]:
        """Latent vectors, int8 (cell, latent), of pixels, uint8 (cell, pixel)."""
        return self._encoder(pixels).astype(np.int8, copy=False)

    def decode(self, latents: NDArray[np.int8]) -> NDArray[np.uint8]:
        """Predicted pixels, uint8 (cell, pixel), of latent vectors, int8 (cell, latent)."""
        return self._decoder(latents).astype(np.uint8, copy=False)
