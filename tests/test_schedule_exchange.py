"""Schedules written for others and read again: workbooks, and B2MML by its schema."""

from __future__ import annotations

import gzip
import re
from datetime import datetime
from pathlib import Path

import pytest

from linewright.cli import main
from linewright.errors import ModelError
from linewright.model.load import loads
from linewright.schedule import Schedule, orders_of, read_orders, schedule_line
from linewright.schedule.excel import cell_name
from tests.parts import PROJECT
from tests.test_schedule_line import BAD, WORKSHOP

SCHEMAS = PROJECT.parent / "shared" / "reference" / "formats" / "open" / "b2mml"
CODES = ["LW511", "LW512", "LW512", "LW513", "LW513", "LW512", "LW513", "LW510"]


@pytest.fixture(scope="module")
def schedule() -> Schedule:
    text = WORKSHOP.replace("id: second", 'id: "=2<&3>"')
    return schedule_line(loads(text), limit_s=0.5, replications=10, why=False)


@pytest.mark.parametrize("ending", [".xlsx", ".xml"])
def test_orders_come_back_from_what_a_schedule_is_written_as(
    schedule: Schedule, ending: str, tmp_path: Path
) -> None:
    if ending == ".xlsx":
        pytest.importorskip("xlsxwriter")
        pytest.importorskip("python_calamine")
    file = tmp_path / f"week{ending}"
    schedule.write(file)
    assert list(tmp_path.iterdir()) == [file]
    good, findings = read_orders(schedule.line, file)
    assert findings == ()
    assert sorted(good, key=lambda o: o.id) == sorted(
        orders_of(schedule.line), key=lambda o: o.id
    )


def test_a_workbook_has_every_table_as_it_is(
    schedule: Schedule, tmp_path: Path
) -> None:
    pytest.importorskip("xlsxwriter")
    calamine = pytest.importorskip("python_calamine")
    file = tmp_path / "plan.xlsx"
    schedule.write(file)
    book = calamine.CalamineWorkbook.from_path(str(file))
    assert book.sheet_names == ["schedule", "orders", "causes", "slack"]
    rows = book.get_sheet_by_name("schedule").to_python()
    table = schedule.table()
    assert rows[0] == table.column_names
    assert len(rows) == len(table) + 1
    first = dict(zip(rows[0], rows[1], strict=True))
    truly = table.to_pylist()[0]
    assert first["start"] == truly["start"].replace(tzinfo=None)
    assert {row[0] for row in rows[1:]} == {"first", "=2<&3>"}  # no formula


def test_a_schedule_is_valid_by_the_schema_of_b2mml(
    schedule: Schedule, tmp_path: Path
) -> None:
    etree = pytest.importorskip("lxml.etree")
    if not SCHEMAS.exists():
        pytest.skip("the schemas are not there")
    file = tmp_path / "plan.xml"
    schedule.write(file)
    document = etree.parse(str(file))
    schema = etree.XMLSchema(etree.parse(str(_schemas(tmp_path / "xsd"))))
    schema.assertValid(document)
    names = {"b": "http://www.mesa.org/xml/B2MML"}
    segments = document.findall(".//b:SegmentRequirementChild", names)
    assert len(segments) == len(schedule.table())
    starts = [
        datetime.fromisoformat(s.find("b:EarliestStartTime", names).text)
        for s in segments
    ]
    assert sorted(starts) == schedule.table().column("start").to_pylist()
    for element in document.iter("{*}QuantityString"):
        element.getparent().remove(element)
    assert not schema.validate(document)  # the schema does find what is wrong


def _schemas(folder: Path) -> Path:
    """Lay out the schemas, with stubs for those of them that are not there."""
    folder.mkdir()
    texts = {}
    for file in SCHEMAS.glob("*.xsd.gz"):
        texts[file.name.removesuffix(".gz")] = gzip.decompress(file.read_bytes())
    for name, text in texts.items():
        (folder / name).write_bytes(text)
    used = texts["B2MML-OperationsSchedule.xsd"] + texts["B2MML-Common.xsd"]
    groups = sorted(set(re.findall(rb'ref\s*=\s*"Extended:(\w+)"', used)))
    head = (
        '<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
        'targetNamespace="http://www.mesa.org/xml/B2MML{0}" '
        'xmlns="http://www.mesa.org/xml/B2MML{0}" elementFormDefault="qualified">'
    )
    empty = "".join(
        f'<xsd:group name="{g.decode()}"><xsd:sequence/></xsd:group>' for g in groups
    )
    (folder / "B2MML-AllExtensions.xsd").write_text(
        f"{head.format('-AllExtensions')}{empty}</xsd:schema>"
    )
    (folder / "B2MML-OperationsPerformanceTypes.xsd").write_text(
        f'{head.format("")}<xsd:complexType name="OpSegmentResponseType"/></xsd:schema>'
    )
    information = folder / "B2MML-InformationObject.xsd"
    known = set(
        re.findall(rb'(?:Type|type)\s+name\s*=\s*"(\w+)"', b"".join(texts.values()))
    )
    known |= {b"OpSegmentResponseType"}
    wanted = set(re.findall(rb'(?:type|base)\s*=\s*"(\w+)"', used))
    stubs = "".join(
        f'<xsd:complexType name="{t.decode()}"/>' for t in sorted(wanted - known)
    )
    information.write_text(f"{head.format('')}{stubs}</xsd:schema>")
    return folder / "B2MML-OperationsSchedule.xsd"


def test_bad_orders_of_a_workbook_are_told_with_their_cells(tmp_path: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    pytest.importorskip("python_calamine")
    file = tmp_path / "week.xlsx"
    names = BAD.splitlines()[0].split(",")
    with xlsxwriter.Workbook(str(file)) as book:
        book.add_worksheet("notes").write(0, 0, "not this one")
        sheet = book.add_worksheet("orders")
        for row, text in enumerate(BAD.splitlines()):
            for column, value in enumerate(text.split(",")):
                if names[column] == "quantity" and value.isdecimal():
                    sheet.write_number(row, column, int(value))
                else:
                    sheet.write_string(row, column, value)
    good, findings = read_orders(loads(WORKSHOP), file)
    assert [order.id for order in good] == ["one"]
    assert [f.code for f in findings] == CODES
    assert [f.line for f in findings] == [3, 4, 5, 6, 7, 8, 8, 8]
    assert findings[1].message.startswith('C4: quantity: found "0"')
    assert [f.column for f in findings[:4]] == [2, 3, 3, 5]
    with xlsxwriter.Workbook(str(file)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["produkt", "due"])
        sheet.write_row(1, 0, ["c", ""])
    with pytest.raises(ModelError) as error:
        read_orders(loads(WORKSHOP), file)
    assert error.value.findings[0].help == 'did you mean "product"?'
    file.write_bytes(b"PK\x03\x04 no workbook")
    with pytest.raises(ModelError, match="no workbook that can be read"):
        read_orders(loads(WORKSHOP), file)


def test_bad_orders_of_b2mml_are_told_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "week.xml"
    file.write_text(
        """<OperationsSchedule xmlns="http://www.mesa.org/xml/B2MML">
<OperationsRequest><ID>a</ID>
<SegmentRequirement><LatestEndTime>2027-01-05T09:00:00</LatestEndTime>
<MaterialRequirement><MaterialDefinitionID>cc</MaterialDefinitionID>
<MaterialUse>Produced</MaterialUse>
<Quantity><QuantityString>0</QuantityString></Quantity></MaterialRequirement>
</SegmentRequirement></OperationsRequest>
<OperationsRequest><ID>b</ID></OperationsRequest>
<OperationsRequest><ID>c</ID><SegmentRequirement>
<EarliestStartTime>2027-01-05T06:00:00</EarliestStartTime>
<LatestEndTime>2027-01-06T09:00:00</LatestEndTime>
<MaterialRequirement><MaterialDefinitionID>c</MaterialDefinitionID>
<MaterialUse>Produced</MaterialUse><Quantity><QuantityString>2</QuantityString>
</Quantity></MaterialRequirement></SegmentRequirement></OperationsRequest>
</OperationsSchedule>
""",
        encoding="utf-8",
    )
    good, findings = read_orders(loads(WORKSHOP), file)
    assert [(order.id, order.quantity) for order in good] == [("c", 2)]
    hour = 3_600_000_000
    assert good[0].release_us == 30 * hour
    assert good[0].due_us == 57 * hour
    assert [(f.line, f.code) for f in findings] == [
        (8, "LW403"),  # nothing is produced
        (4, "LW512"),
        (4, "LW511"),
    ]


def test_what_cannot_be_written_is_refused_before_the_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "workshop.yaml"
    model.write_text(WORKSHOP, encoding="utf-8")
    command = ["schedule", str(model), "--limit", "1 week"]
    for more, said in (
        (["--export", "plan.doc"], "ends in none of .csv"),
        (["--candidates", "1"], "a choice needs 2 or more"),
        (["--candidates", "3", "--indifference", "soon"], "a share of the orders"),
        (["--indifference", "1%"], "for the choice between --candidates"),
    ):
        assert main([*command, *more]) == 2
        assert said in capsys.readouterr().err


def test_cells_are_called_as_spreadsheets_call_them() -> None:
    assert [cell_name(1, n) for n in (1, 26, 27, 702, 703)] == [
        "A1", "Z1", "AA1", "ZZ1", "AAA1",
    ]  # fmt: skip
