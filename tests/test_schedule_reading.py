"""What is wrong in a published instance is told with its line."""

from __future__ import annotations

import pytest

from linewright.errors import ModelError
from linewright.schedule.problem import Problem
from linewright.schedule.reading import READERS, read_instance

MODES = """jobs  (incl. supersource/sink ):  4
  - renewable                 : 1   R
  - nonrenewable              : 1   N
  - doubly constrained        : 0   D
PRECEDENCE RELATIONS:
jobnr.    #modes  #successors   successors
   1        1          2           2   3
   2        2          1           4
   3        1          1           4
   4        1          0
*****
REQUESTS/DURATIONS:
jobnr. mode duration  R 1  N 1
------------------------------
  1      1     0       0    0
  2      1     3       2    0
         2     1       1    4
  3      1     5       1    3
  4      1     0       0    0
*****
RESOURCE AVAILABILITIES:
  R 1  N 1
   2    5
"""


def test_a_project_with_modes_is_read() -> None:
    problem = read_instance("multimode-rcpsp", MODES, "small.mm")
    assert [[m.process_us for m in o.modes] for o in problem.operations] == [
        [0], [3, 1], [5], [0],
    ]  # fmt: skip
    assert [(r.capacity, r.used_up) for r in problem.resources] == [
        (2, False), (5, True),
    ]  # fmt: skip
    pairs = [(link.before, link.after) for link in problem.links]
    assert pairs == [(0, 1), (0, 2), (1, 3), (2, 3)]


def test_a_shop_on_several_lines_is_read() -> None:
    problem = read_instance("distributed-flowshop", "2\n3\n2\n4 5 6\n7 8 9\n")
    assert len(problem.stations) == 6
    assert problem.same_mode == ((0, 1, 2), (3, 4, 5)) == problem.same_order[0]
    last = problem.operations[5]
    assert [(m.station, m.process_us) for m in last.modes] == [(2, 9), (5, 9)]


WRONG = [
    ("jobshop", "2 2\n0 3 1 2\n0 3 2 2\n", 3, "2 is no machine, which is from 0 to 1"),
    ("jobshop", "2 2\n0 3 1 2\n0 3 1\n", 3, "3 numbers are no pairs"),
    ("jobshop", "2 2\n0 3 1 2\n", 2, "the line of a job is missing"),
    ("jobshop", "0 2\n", 1, "0 is no number of jobs, which is from 1"),
    ("permutation-flowshop", "2 2\n1 2\n3 x\n", 3, '"x" is no whole number'),
    ("permutation-flowshop", "2 2\n1 2\n3 -4\n", 3, "-4 is no time"),
    ("permutation-flowshop", "2 2\n1 2\n3 4\n5\n", 4, '"5" is more than'),
    ("flowshop-tardiness", "2 2\n9 9\n1 2\n3\n", 4, "a time is missing"),
    ("distributed-flowshop", "2\n2\n0\n1 2\n3 4\n", 3, "0 is no number of lines"),
    ("flexible-jobshop", "1 2 1.5\n1 1 3 4\n", 2, "3 is no machine, which is from 1"),
    ("rcpsp", "2 1\n3\n0 0 1 2\n4 5 0\n", 4, "5 of R0 are needed, of 3"),
    ("flexible-assembly-jobshop", "2 2 1\n0 1\n1 0\n1 0 3\n1 0 3\n", 0, "in a circle"),
    ("multimode-rcpsp", MODES.replace("2   3", "2   9"), 7, "9 is no activity"),
    ("multimode-rcpsp", MODES.replace(" 1     5   ", " 1     five"), 18, '"five"'),
    ("multimode-rcpsp", MODES.replace("2        2  ", "2        3  "), 19, "2 modes"),
    ("multimode-rcpsp", MODES.replace("   2    5", "   2"), 23, "2 availabilities"),
    ("multimode-rcpsp", MODES.replace("   2    5", "   0    5"), 19, "more than there"),
    ("multimode-rcpsp", "jobs: many\n", 1, '"many" is no number of jobs'),
]


@pytest.mark.parametrize(("family", "text", "line", "told"), WRONG)
def test_what_is_wrong_is_told_with_its_line(
    family: str, text: str, line: int, told: str
) -> None:
    with pytest.raises(ModelError) as error:
        read_instance(family, text, "x.txt")
    (finding,) = error.value.findings
    assert told in finding.message
    assert (finding.file, finding.line) == ("x.txt", line)


def test_all_that_is_no_number_is_told_at_once() -> None:
    with pytest.raises(ModelError) as error:
        READERS["hybrid-flowshop"]("2 2\n1 a\n3 4\n5 b\n")
    assert [finding.line for finding in error.value.findings] == [2, 4]


def test_a_family_that_there_is_not_is_told_with_the_nearest() -> None:
    with pytest.raises(ValueError, match='did you mean "jobshop"'):
        read_instance("jobshp", "")


def test_nothing_is_read_as_one_problem() -> None:
    with pytest.raises(ModelError, match="the file ends after 0 numbers"):
        assert isinstance(read_instance("rcpsp", ""), Problem)
