"""What is wrong in a file of machines is said all at once, each with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from linewright.control.plant import devices_of
from linewright.errors import ModelError
from linewright.lower import lower
from linewright.model.load import loads
from tests.test_drivers_running import HOUR, LINE

pytest.importorskip("asyncua")

from linewright.drivers.machines_file import read_machines


def test_what_is_wrong_in_a_file_of_machines_is_said_with_its_place(
    tmp_path: Path,
) -> None:
    file = tmp_path / "machines.yaml"
    file.write_text(
        "machines_version: 1\nmachines:\n  weldd: {profile: packml}\n"
        "  cut/1: {profile: pack, address: http://x}\n"
        "  weld:\n    address: opc.tcp://10.0.0.5:4840\n    profile: bits\n"
        "    nodes: {Strat: ns=2;s=Start, Busy: Weld.Busy}\n    failure: torhc\n"
    )
    devices = devices_of(lower(loads(LINE), HOUR))
    with pytest.raises(ModelError) as caught:
        read_machines(file, devices, ["torch at weld"])
    said = [str(finding) for finding in caught.value.findings]
    for part in (
        ":1:1: LW283 nobody says where",
        ':3:3: LW285 the line has no machine "weldd"',
        'did you mean "weld"?',
        ':3:3: LW283 nobody says where "weldd" is',
        ":4:20: LW109 profile: found",
        ':8:13: LW106 unknown key "Strat"',
        ':8:40: LW286 Busy: found "Weld.Busy"',
        ':9:14: LW287 failure: "weld" has no failure "torhc"; it has torch',
    ):
        assert any(part in one for one in said), (part, said)
