"""CMSD documents become a model that says what they say, or say why not."""

from __future__ import annotations

from pathlib import Path

import pytest

import linewright
from linewright.errors import ModelError
from linewright.importers import import_model
from linewright.model.load import dumps
from tests.parts import REFERENCE, require

CMSD = REFERENCE / "formats" / "open" / "cmsd"


def time(name: str, value: object, unit: str = "minutes", kind: str = "Fixed") -> str:
    return (
        f"<Property><Name>{name}</Name><Unit>{unit}</Unit><Distribution>"
        f"<Name>{kind}</Name><DistributionParameter><Name>mean</Name>"
        f"<Value>{value}</Value></DistributionParameter></Distribution></Property>\n"
    )


def resource(name: str, kind: str, *properties: str) -> str:
    return (
        f"<Resource><Identifier>{name}</Identifier><ResourceType>{kind}</ResourceType>\n"
        + "".join(properties)
        + "</Resource>\n"
    )


def at(process: str, *places: str, more: str = "") -> str:
    required = "".join(
        f"<ResourcesRequired><Resource><ResourceIdentifier>{place}"
        "</ResourceIdentifier></Resource></ResourcesRequired>"
        for place in places
    )
    return f"<Process><Identifier>{process}</Identifier>{required}{more}</Process>\n"


def group(process: str, kind: str, *members: str) -> str:
    inside = "".join(
        f"<Process><ProcessIdentifier>{m}</ProcessIdentifier></Process>\n"
        for m in members
    )
    return (
        f"<Process><Identifier>{process}</Identifier><SubProcessGroup>"
        f"<Type>{kind}</Type>{inside}</SubProcessGroup></Process>\n"
    )


def document() -> str:
    """Return a shop: a saw, one of two mills, people, and a queue between."""
    capacity = "<Property><Name>capacity</Name><Value>3</Value></Property>"
    failing = time("MeanTimeToFailure", 8, "hours", "Exp") + (
        "<Property><Name>MeanTimeToRepair</Name><Unit>minutes</Unit><Distribution>"
        "<Name>Fixed</Name><DistributionParameter><Name>mean</Name><Value>20</Value>"
        "</DistributionParameter></Distribution><Property><ResourcesRequired>"
        "<ResourceIdentifier>fitter</ResourceIdentifier></ResourcesRequired></Property>"
        "</Property>\n"
    )
    return (
        '<CMSDDocument xmlns="urn:cmsd:main"><DataSection>\n'
        + resource("in", "source", time("interarrivalTime", 12))
        + resource("rack", "queue", capacity)
        + resource("saw", "machine", time("ProcessTime", 5), failing)
        + resource("mill a", "station", time("ProcessTime", 18, kind="Exponential"))
        + resource("mill b", "station", time("ProcessTime", 20))
        + resource("fitter", "employee")
        + resource("miller", "employee", capacity)
        + resource("out", "exit")
        + "<ProcessPlan><Identifier>plan</Identifier><PartsProduced><PartType>"
        "<PartTypeIdentifier>bracket</PartTypeIdentifier></PartType></PartsProduced>"
        "<FirstProcess><ProcessIdentifier>all</ProcessIdentifier></FirstProcess>\n"
        + group("all", "sequence", "arrive", "cut", "wait", "mill", "leave")
        + at("arrive", "in")
        + at("cut", "saw")
        + at("wait", "rack")
        + group("mill", "decision", "one", "other")
        + at("one", "miller", "mill a")
        + at("other", "miller", "mill b")
        + at("leave", "out")
        + "</ProcessPlan><Calendar/></DataSection></CMSDDocument>\n"
    )


def write(folder: Path, text: str) -> Path:
    path = folder / "shop.xml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_document_becomes_a_model(tmp_path: Path) -> None:
    found = import_model(write(tmp_path, document()))
    line = found.line
    assert found.format == "CMSD"
    assert linewright.check(line) == []
    assert {name: pool.count for name, pool in line.people.items()} == {
        "fitter": 1,
        "miller": 3,
    }
    saw, mill = line.stations["saw"], line.stations["mill b"]
    assert (saw.buffer, mill.buffer) == (0, 3)
    assert saw.failures["failure"].crew == "fitter"
    assert saw.failures["failure"].clock == "calendar"
    assert mill.people
    assert mill.people.process == "miller"
    product = line.products["bracket"]
    assert [step.stations for step in product.route] == [("saw",), ("mill a", "mill b")]
    assert product.release.every
    assert product.release.every.mean_us == 12 * 60e6
    assert [note.text for note in found.notes] == ["Calendar is not read"]
    assert linewright.simulate(line, horizon="5 d").failed_checks == []
    model, *_ = found.save(tmp_path / "shop.yaml")
    assert linewright.load(model) == line


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("<Value>5</Value>", "<Value>five</Value>", '"five" is not a number'),
        ("<Value>5</Value>", "<Value></Value>", '"" is not a number'),
        ("<Name>Exp</Name>", "<Name>Odd</Name>", 'the distribution "odd"'),
        ("<Unit>hours</Unit>", "<Unit>moons</Unit>", '"moons" is not a unit of time'),
        (">saw</ResourceId", ">swa</ResourceId", '"swa" is not a Resource here'),
        (">cut</ProcessId", ">cot</ProcessId", '"cot" is not a Process here'),
        (">fitter</ResourceId", ">filter</ResourceId", '"filter" is not a person here'),
        ("<Type>decision", "<Type>parallel", 'type "parallel" is not read'),
        ("<Value>3</Value>", "<Value>many</Value>", '"many" is not a whole number'),
        ("<Identifier>saw", "<Identifier>rack", '"rack" is here twice'),
        (">wait</ProcessId", ">all</ProcessId", '"all" is a part of itself'),
        ("<ProcessPlan>", "<Plan></Plan><Other>", "is not XML"),
        ("<CMSDDocument", "<!DOCTYPE x><CMSDDocument", "has a DOCTYPE"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, text: str
) -> None:
    source = document()
    assert old in source, "this case breaks nothing"
    with pytest.raises(ModelError) as raised:
        import_model(write(tmp_path, source.replace(old, new, 1)))
    findings = raised.value.findings
    assert any(text in f.message and f.line > 0 for f in findings), findings


def test_all_findings_come_at_once(tmp_path: Path) -> None:
    source = document().replace("<Value>5</Value>", "<Value>five</Value>")
    source = source.replace("<Unit>hours</Unit>", "<Unit>moons</Unit>")
    source = source.replace(">saw</ResourceId", ">swa</ResourceId")
    with pytest.raises(ModelError) as raised:
        import_model(write(tmp_path, source))
    assert any("saw" in f.help for f in raised.value.findings)


def test_a_published_document_gives_its_published_result() -> None:
    """Two machines, one repairman: 732 parts (DREAM), shares to the third digit.

    That tool has a failure before an end of work at one instant, ours the end: the
    failures come a microsecond early here, and repairs give it back.
    """
    require("reference")
    found = import_model(CMSD / "Topology01.xml")
    assert found.notes == ()
    text = dumps(found.line)
    for old, new in (
        ("every: 1 h, repair: 5 min", "every: 3599999999 us, repair: 300000001 us"),
        ("every: 40 min", "every: 2399999999 us"),
        ("repair: 10 min", "repair: 600000001 us"),
    ):
        assert old in text
        text = text.replace(old, new)
    result = linewright.simulate(
        linewright.loads(text), horizon="1440 min", replications=1
    )
    assert result.table("products")["finished"].to_pylist() == [732]
    machine = result.table("stations").to_pylist()[0]
    shares = {
        state: round(machine[state] / (1440 * 60e6) * 100, 3)
        for state in ("blocked", "starved", "processing", "failed")
    }
    assert shares == {
        "blocked": 78.177,
        "starved": 0.035,
        "processing": 12.760,
        "failed": 9.028,
    }


@pytest.mark.parametrize(
    "name", ["CMSD_AssemblyDismantle", "CMSD_ParallelStations", "CMSD_example"]
)
def test_published_forms_without_numbers_say_where_they_are_missing(name: str) -> None:
    require("reference")
    with pytest.raises(ModelError) as raised:
        import_model(CMSD / f"{name}.xml")
    missing = [f for f in raised.value.findings if '"" is not a number' in f.message]
    assert missing
    assert all(finding.line > 0 for finding in missing)
