"""The watershed's solid."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from parflow_cases import read_solid

from bmi_common.pfsol import write_solid

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.booleans()).filter(np.any)


@settings(deadline=None, max_examples=50)
@given(mask=MASKS)
def test_the_solid_is_closed_and_holds_the_active_columns(mask: np.ndarray, tmp_path_factory: object) -> None:
    path = Path(str(tmp_path_factory.mktemp("solid"))) / "watershed.pfsol"  # type: ignore[attr-defined]
    write_solid(path, mask, 30.0, 20.0, 11.0)
    solid = read_solid(path)
    assert np.unique(solid.triangles).tolist() == list(range(len(solid.vertices)))
    assert sorted(t for patch in solid.patches for t in patch) == list(range(len(solid.triangles)))

    # closed: each edge is passed as often in one direction as in the other
    edges = solid.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    forth = {tuple(e): 0 for e in np.sort(edges, axis=1).tolist()}
    for a, b in edges.tolist():
        forth[min(a, b), max(a, b)] += 1 if a < b else -1
    assert not any(forth.values())

    # normals point outward: the divergence theorem gives the volume
    a, b, c = (solid.vertices[solid.triangles[:, n]] for n in range(3))
    volume = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0
    np.testing.assert_allclose(volume, mask.sum() * 30.0 * 20.0 * 11.0)

    heights = {"top": {11.0}, "bottom": {0.0}, "side": {0.0, 11.0}}
    for patch, expected in zip(solid.patches, heights.values(), strict=True):
        assert set(solid.vertices[solid.triangles[patch]][..., 2].ravel()) == expected
