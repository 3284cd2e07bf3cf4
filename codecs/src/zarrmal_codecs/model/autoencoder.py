"""Autoencoders in integers: values to latent vectors to predicted values (FORMAT 3.4, 6.4).

Dong, Pan and Wu (Entropy 2019, 21(11), 1062) stack 2500-1500-500-30 and its mirror image. The
encoder's weights are the decoder's, transposed (tied weights, Vincent et al. 2010): an archive
that can be decoded can also be added to, and the encoder costs only its biases.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from .class_model import ClassModel
from .network import Network


class Autoencoder:
    """The autoencoder of one class: of a cell's pixels, or of a grid that is spread over them.

    Parameters
    ----------
    model
        Has the network "decoder" (latent int8 -> value uint8) and, unless it serves only to
        decode, "encoder" (value uint8 -> latent int8).
    n_values
        Pixels of one cell, or values of the grid.

    Raises
    ------
    ModelError
        If the networks do not run from values to latents and back.
    """

    def __init__(self, model: ClassModel, n_values: int) -> None:
        decoder = model.network("decoder")
        self.n_latents = decoder[0].n_inputs
        latents, values = (self.n_latents, "int8"), (n_values, "uint8")
        _expect_ends(model, "decoder", inputs=latents, outputs=values)
        self._decoder = Network(decoder)
        self.widest = max(self.n_latents, *(layer.n_outputs for layer in decoder))
        """Values of the widest layer, input included."""
        self._encoder = None
        if model.networks.get("encoder"):
            _expect_ends(model, "encoder", inputs=values, outputs=latents)
            self._encoder = Network(model.network("encoder"))

    @property
    def can_encode(self) -> bool:
        """Whether there is an encoder. Decoding needs none."""
        return self._encoder is not None

    def encode(self, values: NDArray[np.uint8]) -> NDArray[np.int8]:
        """Latent vectors, int8 (cell, latent), of uint8 (cell, value)."""
        if self._encoder is None:
            raise ModelError(
                "this class of the model has no encoder: it can decode, but not encode"
            )
        return self._encoder(values).astype(np.int8, copy=False)

    def decode(self, latents: NDArray[np.int8]) -> NDArray[np.uint8]:
        """Predicted values, uint8 (cell, value), of latent vectors, int8 (cell, latent)."""
        return self._decoder(latents).astype(np.uint8, copy=False)


def _expect_ends(
    model: ClassModel, name: str, *, inputs: tuple[int, str], outputs: tuple[int, str]
) -> None:
    layers = model.network(name)
    first, last = (layers[0].n_inputs, layers[0].input), (layers[-1].n_outputs, layers[-1].output)
    if (first, last) != (inputs, outputs):
        raise ModelError(
            f"class {model.name!r}: the {name} maps {first[0]} {first[1]} to {last[0]} {last[1]}, "
            f"but must map {inputs[0]} {inputs[1]} to {outputs[0]} {outputs[1]}"
        )
