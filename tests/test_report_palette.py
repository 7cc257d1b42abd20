"""Colors stay apart for every reader, in both themes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from linewright.report.palette import COLORS, STATES

Floats = NDArray[np.float64]
# Machado, Oliveira and Fernandes (2009), IEEE TVCG 15(6), 1291-1298, severity 1
VISION = {
    "full": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])


def linear(color: str) -> Floats:
    value = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb: Floats) -> Floats:
    xyz = TO_XYZ @ rgb.clip(0, 1) / WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(first: str, second: str) -> float:
    low, high = sorted(float(TO_XYZ[1] @ linear(c)) for c in (first, second))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize("vision", VISION)
def test_states_look_different(vision: str, theme: int) -> None:
    seen = {s.key: lab(VISION[vision] @ linear(COLORS[s.role][theme])) for s in STATES}
    for a, b in itertools.combinations(seen, 2):
        assert np.linalg.norm(seen[a] - seen[b]) > 18, (a, b)


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize("role", ["ink", "muted", "accent", "good", "warn", "bad"])
@pytest.mark.parametrize("ground", ["surface", "band", "page"])
def test_text_can_be_read(role: str, ground: str, theme: int) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    assert contrast(COLORS[role][theme], COLORS[ground][theme]) >= 4.5


def test_every_role_has_a_light_color_of_its_own() -> None:
    light = [pair[0] for pair in COLORS.values()]
    assert len(light) == len(set(light))
