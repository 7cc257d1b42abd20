"""A first model: a small line with comments, and the schema that editors want."""

from __future__ import annotations

import json
from pathlib import Path

from linewright.errors import Finding, ModelError
from linewright.model.load import write_whole
from linewright.model.schema import SCHEMA_FILE, json_schema

__all__ = ["FIRST_MODEL", "MODEL_FILE", "init"]

MODEL_FILE = "model.yaml"

FIRST_MODEL = f"""\
# yaml-language-server: $schema={SCHEMA_FILE}
#
# A small line: desks are cut, assembled, and tested. Change it into yours.
#   linewright check model.yaml       finds what is wrong, with line and column
#   linewright simulate model.yaml    says how much it makes
#   linewright brief model.yaml       draws it, in one HTML file

schema_version: 1
name: Desks

# When people work. Stations without a calendar work around the clock.
calendars:
  two shifts:
    shifts:
      - days: mon-fri
        from: 06:00
        to: 14:00
        breaks: [{{from: 10:00, to: 10:30}}]
      - {{days: mon-fri, from: 14:00, to: 22:00}}
    holidays: [2027-05-06]

calendar: two shifts            # for every station that names no other

# Where work is done. Parts wait in the buffer of a station until a server is free.
stations:
  saw:
    process: 4 min              # every quantity carries its unit
    buffer: 10                  # places; without this line: unlimited
    failures:
      blade:                    # after 6 h of sawing, on average, 20 min to repair
        every: exponential(6 h)
        repair: lognormal(mean=20 min, cv=0.8)
  assembly:
    servers: 2                  # two benches, side by side
    process: triangular(8 min, 10 min, 14 min)
    buffer: 6
  test:
    process: normal(5 min, 1 min)
    buffer: 4

# What is made, and how.
products:
  desk:
    bom:                        # components of one desk
      top: {{quantity: 1, bought: true}}
      leg: {{quantity: 4, bought: true}}
    route:
      - saw
      - operation: assemble
        station: assembly
        uses: {{top: 1, leg: 4}}  # taken here, not at the first operation
      - operation: inspect
        station: test
        inspection:
          pass: 0.92            # truly good; of the others some can be repaired
          rework: 0.06
          scrap: 0.02
          rework_to: assemble
          rework_limit: 2       # then the desk is scrapped
    release:                    # a desk is begun whenever there is room for it, and
      kind: always              # at most 12 are in the line: more could block the way
      conwip: 12                # back from test to assembly
    demand: 600/week

# How it is simulated, unless a command says otherwise.
study:
  horizon: 8 weeks
  replications: 20
"""


def init(folder: str | Path) -> tuple[Path, Path]:
    """Write a first model and its schema into a folder, which is made if need be.

    Returns:
        Paths of the model and of the schema.

    Raises:
        ModelError: A file is there already, or cannot be written; nothing is changed.
    """
    folder = Path(folder)
    model, schema = folder / MODEL_FILE, folder / SCHEMA_FILE
    for path in (model, schema):
        if path.exists() or path.is_symlink():
            msg = "is there already and stays as it is; choose another folder"
            raise ModelError([Finding("LW102", msg, file=str(path))])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"cannot be made: {error.strerror}"
        raise ModelError([Finding("LW102", msg, file=str(folder))]) from error
    write_whole(schema, json.dumps(json_schema(), indent=2) + "\n")
    write_whole(model, FIRST_MODEL)
    return model, schema
