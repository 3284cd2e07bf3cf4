"""Chunks with cells that are the coefficients of JPEG pictures."""

from __future__ import annotations

from dataclasses import replace

import lattice_chunks
import numpy as np
import pytest
from law import round_trip, same
from zarrmal_codecs import JpegCell, Model, ModelError
from zarrmal_codecs.chunk.chunk import decode_cells, decode_chunk, decode_silhouettes, encode_chunk
from zarrmal_codecs.chunk.coder import Coder, coder_for
from zarrmal_codecs.chunk.header import header_bytes, parse_header
from zarrmal_codecs.chunk.index import lattice_index
from zarrmal_codecs.chunk.jpeg_cells import replace_longer
from zarrmal_codecs.chunk.streams import jpeg_cells
from zarrmal_codecs.hybrid.engine import levels
from zarrmal_codecs.lattice.jpeg.picture import Camera
from zarrmal_codecs.lattice.place import Place
from zarrmal_codecs.lattice.stored import lattice_of, with_lattice
from zarrmal_codecs.silhouette.outlined import Outlines

CASES = lattice_chunks.CASES
MIXED, FILES = CASES["mixed"], CASES["files"]


def encoded(case: lattice_chunks.Case, **options) -> bytes:
    options = {"classes": np.array(case.classes), "jpeg": case.jpeg, **options}
    return encode_chunk(case.array, coder_for(case.model), keep_cells=True, **options)


@pytest.mark.parametrize("name", CASES)
def test_every_engine_gives_the_same_bytes(name, monkeypatch):
    case, results = CASES[name], set()
    for level in {levels()[0], levels()[-1]}:  # test_lattice_pixels has all
        monkeypatch.setenv("ZARRMAL_KERNEL", level)
        data = encoded(case)
        results.add(data)
        same(decode_chunk(data, coder_for(case.model)), case.array)
    assert len(results) == 1
    index = parse_header(memoryview(data)).index
    assert index.lattice.is_lattice.sum() == case.n_lattice
    assert len(data) < len(encoded(case, jpeg=None))


def test_memory_order_does_not_matter():
    options = {"classes": np.array(MIXED.classes), "jpeg": MIXED.jpeg}
    header = round_trip(MIXED.array, coder_for(MIXED.model), **options)
    assert header.index.sizes is not None


@pytest.mark.parametrize("name", CASES)
def test_coefficients_come_back(name):
    case = CASES[name]
    data, coder = encoded(case), coder_for(case.model)
    cells = jpeg_cells(data, coder, np.arange(len(case.array)))
    assert [cell is not None for cell in cells] == [cell is not None for cell in case.jpeg]
    for cell, given in zip(cells, case.jpeg, strict=True):
        if cell is None:
            continue
        assert (cell.camera, cell.phase) == (given.camera, given.phase)
        assert cell.is_file == given.is_file
        for own, blocks, coded in zip(
            cell.coefficients, given.coefficients, cell.coded, strict=True
        ):
            assert own.shape == blocks.shape
            np.testing.assert_array_equal(own[coded], blocks[coded])
            assert coded.all() or name in ("silhouettes", "grey", "deep")
    with pytest.raises(IndexError, match="no cells 99"):
        jpeg_cells(data, coder, np.array([99]))


@pytest.mark.parametrize("name", ["mixed", "silhouettes"])
def test_each_cell_can_be_read_alone(name):
    case = CASES[name]
    data, coder = encoded(case), coder_for(case.model)
    header, payload = parse_header(memoryview(data)), memoryview(data)[header_bytes(data) :]
    for row in range(len(case.array)):
        start = int(header.index.lengths[:row].sum())
        stop = start + int(header.index.lengths[row])

        def fetch(a, b, start=start, stop=stop):
            assert (a, b) == (start, stop)
            return payload[a:b]

        cell = decode_cells(header, np.array([row]), fetch, coder)
        np.testing.assert_array_equal(cell[0], case.array[row])
    if header.index.outlines is not None:
        rows = np.arange(len(case.array))
        masks = decode_silhouettes(header, rows, lambda a, b: payload[a:b], coder).masks
        for mask, pixels in zip(masks, case.array, strict=True):
            height, width = mask.shape
            assert not pixels[:height, :width][~mask].any()
            assert pixels[:height, :width][mask].any(axis=1).mean() > 0.9


def test_cells_that_contradict_their_coefficients_come_back():
    noise = np.random.default_rng(0).integers(0, 256, MIXED.array.shape).astype(np.uint8)
    for array in (noise, MIXED.array[::-1].copy(), MIXED.array[:, :7, :9].copy()):
        coder = coder_for(MIXED.model)
        data = encode_chunk(array, coder, classes=np.array(MIXED.classes), jpeg=MIXED.jpeg)
        same(decode_chunk(data, coder), array)


def test_a_file_smaller_than_its_last_group_keeps_its_blocks():
    index = parse_header(memoryview(encoded(FILES))).index
    assert index.sizes[0].tolist() == [8, 17]  # its last row is black
    assert index.lattice.are_files.all()


@pytest.mark.parametrize("level", sorted({levels()[0], levels()[-1]}))
def test_cells_without_a_visible_pixel_or_a_block_come_back(level, monkeypatch):
    # No encoder writes the first, and a reader may meet it.
    monkeypatch.setenv("ZARRMAL_KERNEL", level)
    coder, camera = coder_for(MIXED.model).lattice(0), lattice_chunks.camera(75, ((1, 1),) * 3)
    pixels, cell = lattice_chunks.drawn(390, camera, (5, 6), (3, 4))
    none = replace(cell, coded=tuple(np.zeros_like(own) for own in cell.coded))
    mask, places = np.zeros((5, 6), bool), [Place(camera=camera, phase=(3, 4))]
    outlines = Outlines(
        resampling="same", spacings=np.ones(1, np.uint8), shapes=np.array([[5, 6]], np.uint16)
    )
    for own, masks, has in ((pixels * np.uint8(0), [mask], outlines), (pixels, [None], None)):
        (stream,) = coder.encode([own], places, [none], masks, masks)
        back = coder.decode([memoryview(stream)], places, own.shape, None, has)
        np.testing.assert_array_equal(back[0], own)


def test_files_of_more_cameras_than_fit_are_coded_as_pixels(monkeypatch):
    monkeypatch.setattr(lattice_index, "MAX_CAMERAS", 1)
    cameras = {cell.camera for cell in FILES.jpeg}
    assert len(cameras) > 1
    data = encoded(FILES)
    same(decode_chunk(data, coder_for(FILES.model)), FILES.array)
    first = [cell.camera == FILES.jpeg[0].camera for cell in FILES.jpeg]
    assert parse_header(memoryview(data)).index.lattice.are_files.tolist() == first


def test_the_pixels_of_files_are_not_coded(monkeypatch):
    def encode(pixels, *_):
        assert not len(pixels)

    coder = coder_for(FILES.model)
    for k in range(len(FILES.model.classes)):
        monkeypatch.setattr(coder.cells(k), "encode", encode, raising=True)
    same(decode_chunk(encoded(FILES), coder), FILES.array)


def test_cameras_that_cost_more_than_they_save_are_left_out():
    rows = [1, 3, 5]
    few = replace(
        MIXED, array=MIXED.array[rows, :4, :4], jpeg=[MIXED.jpeg[k] for k in rows],
        classes=(0, 0, 0),
    )  # fmt: skip
    assert parse_header(memoryview(encoded(few))).index.lattice is None


def test_files_stay_files_beside_cells_that_are_not_worth_their_cameras():
    tables = [np.full((3, 8, 8), step, np.uint16) for step in (5, 7)]
    cameras = [Camera(tables=each, ratios=((1, 1),) * 3, colour="ycbcr") for each in tables]
    places = [Place(camera=c, phase=(0, 0), is_file=k == 0) for k, c in enumerate(cameras)]
    streams = [bytes(9), bytes(9)]
    index = replace_longer(streams, {0: (places[0], bytes(10)), 1: (places[1], bytes(8))})
    assert index is not None
    assert index.is_lattice.tolist() == [True, False]
    assert [len(stream) for stream in streams] == [10, 9]


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="5 entries of `jpeg` for 6 cells"):
        encoded(MIXED, jpeg=MIXED.jpeg[:5])
    cell = MIXED.jpeg[0]
    for change in (
        {"phase": (16, 0)},
        {"coded": cell.coded[:2]},
        {"coded": tuple(own[:1, :1] for own in cell.coded)},
        {"coefficients": tuple(own.astype(np.int32) for own in cell.coefficients)},
    ):
        with pytest.raises(ValueError, match=r"phase|planes|coded|coefficients"):
            replace(cell, **change)


def test_a_model_stores_shared_weights_once():
    model = MIXED.model
    again = Model.from_bytes(model.to_bytes())
    assert again == model
    both = [lattice_of(own) for own in again.classes]
    for name in ("hidden_weight", "from_earlier"):
        arrays = [getattr(plane, name) for weights in both for plane in weights.planes]
        assert all(array is arrays[0] for array in arrays)
    assert lattice_of(replace(model.classes[0], lattice=())) is None
    with pytest.raises(ValueError, match="1 weights for 2 classes"):
        with_lattice(model, [lattice_chunks.weights()])


def test_a_class_without_a_tensor_is_refused():
    first = MIXED.model.classes[0]
    lattice = ({k: v for k, v in first.lattice[0].items() if k != "from_luma"}, *first.lattice[1:])
    model = replace(MIXED.model, classes=(replace(first, lattice=lattice),))
    with pytest.raises(ModelError, match="from_luma"):
        Coder(Model.from_bytes(model.to_bytes()))


def test_many_cameras_take_few_bytes():
    rng = np.random.default_rng(3)
    base = lattice_chunks.camera(62, lattice_chunks.PLAIN).tables.astype(int)
    cells: list[tuple[np.ndarray, JpegCell]] = []
    for k in range(60):
        tables = base + 6 * (rng.random(base.shape) < 0.03)
        camera = Camera(
            tables=tables.astype(np.uint16), ratios=lattice_chunks.PLAIN, colour="ycbcr"
        )
        cells.append(lattice_chunks.drawn(400 + 3 * k, camera, (8, 8)))
    array, jpeg = lattice_chunks.laid(cells, (8, 8, 3))
    coder = coder_for(MIXED.model)
    data = encode_chunk(array, coder, classes=np.zeros(60, int), jpeg=jpeg)
    same(decode_chunk(data, coder), array)
    header = parse_header(memoryview(data))
    assert len(header.index.lattice.cameras) == 60
    assert header_bytes(data) < 60 * 20
