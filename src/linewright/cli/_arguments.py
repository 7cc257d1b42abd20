"""The arguments of every verb, their help, and examples of them.

Each verb has its function here and ``--json``, ``--quiet`` and ``--help``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from linewright.cli._accounts import add_accounts_verb
from linewright.cli._animate import run_animate
from linewright.cli._ask import add_ask_verbs
from linewright.cli._balance import run_balance
from linewright.cli._compare import run_compare
from linewright.cli._conformance import run_conformance
from linewright.cli._estimate import run_estimate
from linewright.cli._fit import run_drift, run_fit, run_validate
from linewright.cli._improve import (
    run_allocate,
    run_bottleneck,
    run_improve,
    run_ledger,
    run_losses,
    run_ratify,
)
from linewright.cli._look import run_state, run_why
from linewright.cli._machines import run_emulate, run_pki
from linewright.cli._model import (
    run_check,
    run_diff,
    run_expand,
    run_import,
    run_init,
    run_migrate,
    run_schema,
    run_version,
)
from linewright.cli._plan import run_plan
from linewright.cli._run import run_forecast, run_run, run_verify
from linewright.cli._say import Args
from linewright.cli._schedule import run_schedule
from linewright.cli._serve import run_keys, run_serve
from linewright.cli._spc import run_spc
from linewright.cli._study import run_brief, run_simulate
from linewright.cli._trace import run_recall, run_trace_of
from linewright.version import __version__

EXAMPLES = {
    "init": "linewright init my-line",
    "check": "linewright check plant.yaml\n"
    "linewright check plant.yaml --overlay saturday-shift.yaml --json",
    "expand": "linewright expand plant.yaml\n"
    'linewright expand plant.yaml --set cycle="10 min" --out plain.yaml',
    "schema": "linewright schema > linewright.schema.json",
    "migrate": "linewright migrate old.yaml --out new.yaml",
    "diff": "linewright diff plant.yaml plant-with-second-oven.yaml",
    "import": "linewright import SMT2020_HVLM.zip --out fab/fab.yaml\n"
    "linewright import plant.xml",
    "simulate": "linewright simulate plant.yaml\n"
    'linewright simulate plant.yaml --horizon "52 weeks" --replications 50\n'
    "linewright simulate plant.yaml --precision 1% --out results/today\n"
    "linewright simulate plant.yaml --overlay saturday-shift.yaml --json\n"
    'linewright simulate plant.yaml --set cycle="10 min"\n'
    'linewright simulate plant.yaml --from monday.npz --horizon "2 weeks"',
    "estimate": "linewright estimate plant.yaml\n"
    "linewright estimate plant.yaml --overlay third-oven.yaml --json",
    "compare": "linewright compare plant.yaml second-oven.yaml\n"
    "linewright compare plant.yaml --overlay oven.yaml --overlay shift.yaml\n"
    "linewright compare results/monday results/tuesday",
    "bottleneck": "linewright bottleneck plant.yaml\n"
    "linewright bottleneck plant.yaml --out results/plant\n"
    'linewright bottleneck plant.yaml --horizon "52 weeks" --confirm 5',
    "improve": "linewright improve plant.yaml --options options.yaml --budget 120000\n"
    "linewright improve plant.yaml --options options.yaml --budget 5e4 "
    "--objective flow_time\n"
    "linewright improve plant.yaml --options options.yaml --budget 5e4 "
    '--objective profit --over "52 weeks"',
    "losses": "linewright losses plant.yaml\n"
    'linewright losses plant.yaml --horizon "4 weeks" --replications 20',
    "allocate": "linewright allocate line.yaml --places 40\n"
    "linewright allocate line.yaml --throughput 43/h --out buffers.yaml",
    "ratify": "linewright ratify plant.yaml results/plant-improve "
    '--by "Works council, 12 May" --reason "second oven before the autumn"',
    "ledger": "linewright ledger plant.yaml\n"
    'linewright ledger plant.yaml --realised 1=43.2 --by "Production control"',
    "brief": "linewright brief plant.yaml --out plant.html\n"
    "linewright brief results/plant\n"
    "linewright brief plant.yaml --bottleneck today --improvement today\n"
    "linewright brief plant.yaml --schedule schedule",
    "balance": "linewright balance tasks.csv --cycle-time 12min\n"
    "linewright balance tasks.csv --stations 8 --json\n"
    "linewright balance tasks.csv --stations 6..10 --mix A=3,B=2",
    "plan": "linewright plan plant.yaml --precision 2%\n"
    "linewright plan plant.yaml --goal 1.2 --promise trainer=10@90%\n"
    "linewright plan plant.yaml --from today.npz --actual made.csv --goal auto\n"
    "linewright plan plant.yaml --quantities --options options.yaml --out quantities",
    "schedule": "linewright schedule plant.yaml --limit 60s --out schedule\n"
    "linewright schedule plant.yaml --orders week.csv --replications 100\n"
    "linewright schedule plant.yaml --objective late_orders,makespan\n"
    'linewright schedule plant.yaml --former schedule --frozen "2 d" '
    "--objective tardiness,stability\n"
    'linewright schedule plant.yaml --from plant.journal --frozen "2 h" --out better\n'
    "linewright schedule plant.yaml --orders week.xlsx --candidates 4 "
    "--export plan.xlsx",
    "why": "linewright why plant.yaml --at 3d10:42 weld\n"
    'linewright why plant.yaml --at "2027-01-07 10:42" frame:17',
    "trace": "linewright trace plant.journal trainer:17\n"
    "linewright trace plant.yaml spar:20 --up\n"
    "linewright trace plant.yaml --out log.parquet\n"
    "linewright trace plant.yaml --out run.units\n"
    "linewright trace plant.journal --out plant.jsonocel\n"
    "linewright trace plant.yaml --unit frame:17\n"
    'linewright trace plant.yaml --station weld --until "2 d"',
    "animate": "linewright animate plant.yaml\n"
    'linewright animate plant.yaml --from-time "2027-03-01 06:00" --for "1 week"\n'
    "linewright animate plant.yaml --for 8h --speed 60 --out shift.html",
    "state": 'linewright state plant.yaml --at "2027-03-01 06:00" --out monday.npz',
    "run": "linewright run plant.yaml --emulate --speed 1000\n"
    'linewright run plant.yaml --emulate --until "2 weeks" --journal plant.journal',
    "forecast": "linewright forecast plant.journal\n"
    "linewright forecast plant.journal --replications 400 --json",
    "order": "linewright order plant.journal add --product trainer --quantity 3 "
    '--due "2027-04-01 06:00"\n'
    "linewright order plant.journal add --file orders.csv --hold\n"
    "linewright order plant.journal release 12 13\n"
    "linewright order plant.journal priority 12 50\n"
    "linewright order plant.journal list",
    "decide": "linewright decide plant.journal trainer:17 scrapped "
    '--by "Shift leader" --reason "fell off the trolley"\n'
    "linewright decide plant.journal weld#212 not-done --by Operator "
    '--reason "the part is untouched"\n'
    'linewright decide plant.journal alarm:3 settled --reason "sensor was loose"',
    "alarms": "linewright alarms plant.journal",
    "hold": 'linewright hold plant.journal weld --reason "fixture is loose"\n'
    'linewright hold plant.journal --now --reason "fire drill"',
    "reschedule": "linewright reschedule plant.journal schedule "
    '--reason "the oven is down until noon"',
    "resume": "linewright resume plant.journal weld",
    "conformance": "linewright conformance line.yaml weld --machines machines.yaml "
    "--works",
    "emulate": "linewright emulate line.yaml --speed 10 --memory machines.jsonl\n"
    "linewright emulate line.yaml --fault 'stuck:weld@10 min+5 min'",
    "pki": "linewright pki init\nlinewright pki trust controller press.der",
    "verify": "linewright verify plant.journal\n"
    "linewright verify plant.journal --redo --json",
    "recall": "linewright recall plant.journal\n"
    "linewright recall plant.journal engine:3\n"
    "linewright recall run.units wing:31 --out held.csv",
    "spc": "linewright spc plant.journal\n"
    "linewright spc plant.journal --characteristic bore --subgroup 5\n"
    "linewright spc plant.yaml --rules western_electric --out charts.html",
    "serve": "linewright serve plant.journal\n"
    "linewright serve plant.journal --host 192.168.1.20 --tokens 12 "
    "--certificate line.pem --key line.key",
    "keys": "linewright keys add keys.jsonl erp --role engineer --days 365\n"
    "linewright keys remove keys.jsonl erp",
    "accounts": "linewright accounts add accounts.jsonl ada --role operator\n"
    "linewright accounts password accounts.jsonl ada",
    "fit": "linewright fit log.csv --columns "
    "case=order,activity=step,station=machine,start=begin,end=finish --out plant.yaml\n"
    "linewright fit log.xes --out plant.yaml --hold-back 30% --use-rest\n"
    "linewright fit plant.journal --out plant.yaml --carry 20",
    "validate": "linewright validate plant.yaml log.csv --columns mapping.yaml\n"
    "linewright validate plant.yaml plant.journal --from 2027-03-01 --margin 5%",
    "drift": "linewright drift plant.yaml plant.journal\n"
    "linewright drift plant.yaml log.csv --columns mapping.yaml --alarm 0.1%",
    "version": "linewright version --json",
}

_OVERLAY = "overlay to lay over the model; may be given again"


def new_parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs; what it reads names the function to run."""
    parser = argparse.ArgumentParser(
        prog="linewright",
        description="One model of a production line: check it, simulate it, compare "
        "designs, run it, and show the result.",
        epilog="Exit codes: 0 all well; 1 findings, a failed self-check, or a line "
        "that stands still; 2 wrong arguments or a bad model; 130 interrupted. "
        "`linewright VERB --help` has examples.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"linewright {__version__}"
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for add in (
        _add_model_verbs,
        _add_study_verbs,
        _add_improve_verbs,
        _add_allocate,
        _add_look_verbs,
        _add_run_verbs,
        _add_record_verbs,
    ):
        add(verbs)
    add_ask_verbs(verbs, _verb)
    return parser


def _verb(
    verbs: Any,
    name: str,
    run: Callable[[Args], int],
    text: str,
    also: Sequence[str] = (),
) -> argparse.ArgumentParser:
    examples = "\n".join(f"  {line}" for line in EXAMPLES[name].splitlines())
    added: argparse.ArgumentParser = verbs.add_parser(
        name,
        aliases=also,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    added.set_defaults(run=run)
    added.add_argument("--json", action="store_true", help="JSON on stdout")
    added.add_argument("--quiet", "-q", action="store_true", help="errors only")
    return added


def _add_overlay(verb: argparse.ArgumentParser, text: str) -> None:
    """Add what changes a model on its way in; `load_line` and `read_model` take it."""
    verb.add_argument(
        "--overlay", metavar="FILE", action="append", default=[], help=text
    )
    verb.add_argument(
        "--set",
        metavar="NAME=VALUE",
        dest="parameters",
        action="append",
        type=_setting,
        default=[],
        help="value of a parameter of the model; may be given again",
    )


def _setting(text: str) -> tuple[str, Any]:
    """Read ``cycle=12 min`` as the model file would."""
    from linewright.model.source import scalar  # noqa: PLC0415 - slow

    name, equals, value = text.partition("=")
    if not (name.strip() and equals and value.strip()):
        msg = f'"{text}" sets nothing; write it like cycle="12 min"'
        raise argparse.ArgumentTypeError(msg)
    return name.strip(), scalar(value.strip())


def _add_model_verbs(verbs: Any) -> None:
    init = _verb(verbs, "init", run_init, "write a first model, with comments")
    init.add_argument("folder", nargs="?", default=".", metavar="FOLDER")
    check = _verb(verbs, "check", run_check, "find what is wrong with a model")
    check.add_argument("model", metavar="MODEL")
    _add_overlay(check, _OVERLAY)
    expand = _verb(
        verbs, "expand", run_expand, "print a model with all templates copied"
    )
    expand.add_argument("model", metavar="MODEL")
    _add_overlay(expand, _OVERLAY)
    expand.add_argument("--out", metavar="FILE", help="file to write; else stdout")
    _verb(verbs, "schema", run_schema, "print the JSON Schema of the model file")
    migrate = _verb(verbs, "migrate", run_migrate, "bring an older model up to date")
    migrate.add_argument("model", metavar="MODEL")
    migrate.add_argument("--out", metavar="FILE", help="file to write; else stdout")
    diff = _verb(
        verbs, "diff", run_diff, "say in words what changed between two models"
    )
    diff.add_argument("before", metavar="A")
    diff.add_argument("after", metavar="B")
    bring = _verb(verbs, "import", run_import, "read a model of another tool")
    bring.add_argument(
        "source",
        metavar="SOURCE",
        help="SMT2020 tables (folder or ZIP), or CMSD (.xml)",
    )
    bring.add_argument("--out", metavar="FILE", help="model file; SOURCE.yaml here")
    bring.add_argument("--force", action="store_true", help="replace what is there")
    _verb(verbs, "version", run_version, "print the version")


def _add_study_verbs(verbs: Any) -> None:
    text = "say what the line makes at most, and about, without simulating"
    estimate = _verb(verbs, "estimate", run_estimate, text)
    estimate.add_argument("model", metavar="MODEL")
    _add_overlay(estimate, _OVERLAY)
    simulate = _verb(verbs, "simulate", run_simulate, "simulate a line")
    simulate.add_argument("model", metavar="MODEL")
    _add_overlay(simulate, _OVERLAY)
    _add_study(simulate)
    simulate.add_argument(
        "--out", metavar="DIR", help="result folder; results/NAME by default"
    )
    text = "carry what records leave open of a fitted model's inputs into the results: "
    text += "so many models as they may be are simulated, too"
    simulate.add_argument("--carry", metavar="N", type=int, help=text)
    compare = _verb(
        verbs, "compare", run_compare, "compare scenarios on common random numbers"
    )
    compare.add_argument("models", metavar="MODEL_OR_RESULT", nargs="+")
    _add_overlay(
        compare, "a scenario of its own over the one model; may be given again"
    )
    _add_study(compare)
    _add_plan(verbs)
    _add_schedule(verbs)
    brief = _verb(verbs, "brief", run_brief, "write the brief, one HTML file")
    brief.add_argument("model", metavar="MODEL_OR_RESULT")
    _add_overlay(brief, _OVERLAY)
    _add_study(brief)
    brief.add_argument(
        "--out", metavar="FILE", help="NAME.html or RESULT/brief.html by default"
    )
    text = "what `linewright bottleneck --out` left, if not in the result folder"
    brief.add_argument("--bottleneck", metavar="FILE_OR_DIR", help=text)
    text = "what `linewright improve` left, if not in the result folder"
    brief.add_argument("--improvement", metavar="FILE_OR_DIR", help=text)
    text = "what `linewright losses --out` left, if not in the result folder"
    brief.add_argument("--losses", metavar="FILE_OR_DIR", help=text)
    text = "folder that `linewright plan --out` wrote"
    brief.add_argument("--plan", metavar="DIR", help=text)
    text = "folder that `linewright schedule --out` wrote"
    brief.add_argument("--schedule", metavar="DIR", help=text)
    _add_balance(verbs)


def _add_balance(verbs: Any) -> None:
    balance = _verb(verbs, "balance", run_balance, "put tasks on stations")
    add = balance.add_argument
    text = "CSV with the columns task, time, after; or .IN2, .alb"
    add("tasks", metavar="TASKS", help=text)
    asked = balance.add_mutually_exclusive_group(required=True)
    text = "fewest stations for it: 12min, or a number where the file has no units"
    asked.add_argument("--cycle-time", metavar="TIME", help=text)
    text = "shortest cycle time for N, or least idle time over a range: 6..10"
    asked.add_argument("--stations", metavar="N", help=text)
    text = "how many of each product: A=3,B=2; one of each by default"
    add("--mix", metavar="MIX", help=text)
    text = "every product fits into the cycle time; else their average does"
    add("--each-product", action="store_true", help=text)
    add("--time-limit", metavar="TIME", default="60s", help="of the search; 60s")


def _add_improve_verbs(verbs: Any) -> None:
    text = "say what holds the line back, and the worth of every minute"
    holds = _verb(verbs, "bottleneck", run_bottleneck, text)
    holds.add_argument("model", metavar="MODEL")
    _add_overlay(holds, _OVERLAY)
    _add_span(holds)
    text = "gains to confirm by paired runs, the largest first; 3 by default"
    holds.add_argument("--confirm", metavar="N", type=int, default=3, help=text)
    text = "folder to leave bottleneck.json in, for the brief"
    holds.add_argument("--out", metavar="DIR", help=text)
    _add_losses(verbs)
    _add_improve(verbs)
    _add_ledger(verbs)


def _add_improve(verbs: Any) -> None:
    text = "find the best set of options for a budget"
    better = _verb(verbs, "improve", run_improve, text)
    better.add_argument("model", metavar="MODEL")
    _add_overlay(better, _OVERLAY)
    add = better.add_argument
    text = "file with the options and what they cost"
    add("--options", metavar="FILE", required=True, help=text)
    text = "what may be spent, in the currency of the options"
    add("--budget", metavar="MONEY", type=float, required=True, help=text)
    text = "throughput (the default), flow_time, profit, target (all targets are met) "
    text += "or target:NAME"
    add("--objective", metavar="WHAT", default="throughput", help=text)
    text = "time for which profit is counted; the horizon after the warm-up by default"
    add("--over", metavar="TIME", help=text)
    text = "options take effect when their lead time is over (for targets the default)"
    kind = argparse.BooleanOptionalAction
    add("--on-dates", action=kind, help=text)
    text = "difference that is worth detecting, as a share: 0.5%%; 5%% of a chance"
    _add_share(add, "--indifference", None, text)
    text = "replications of one set at most; 500 by default, 4,000 for a chance"
    add("--most", metavar="N", type=int, help=text)
    text = "folder of the proposal and of all evaluations; results/NAME-improve"
    add("--out", metavar="DIR", help=text)
    _add_span(better)
    _add_engine(better)


def _add_ledger(verbs: Any) -> None:
    text = "sign a proposal of `linewright improve`: it becomes an overlay"
    sign = _verb(verbs, "ratify", run_ratify, text)
    sign.add_argument("model", metavar="MODEL")
    sign.add_argument("proposal", metavar="PROPOSAL", help="folder that improve wrote")
    sign.add_argument("--by", metavar="NAME", required=True, help="who ratifies it")
    sign.add_argument("--reason", metavar="TEXT", required=True, help="why")
    sign.add_argument("--on", metavar="DATE", help="2027-03-01; today by default")
    text = "show decisions: what was promised against what was realised"
    book = _verb(verbs, "ledger", run_ledger, text)
    book.add_argument("model", metavar="MODEL")
    text = "write down what came of a decision: 1=43.2"
    book.add_argument("--realised", metavar="NUMBER=VALUE", type=_outcome, help=text)
    book.add_argument("--by", metavar="NAME", help="who says so")
    book.add_argument("--on", metavar="DATE", help="2027-03-01; today by default")
    book.add_argument("--note", metavar="TEXT", help="where it comes from")


def _add_losses(verbs: Any) -> None:
    text = "say where the units are lost, cause by cause"
    lost = _verb(verbs, "losses", run_losses, text)
    lost.add_argument("model", metavar="MODEL")
    _add_overlay(lost, _OVERLAY)
    text = "why a target is missed, in units from its start to its end; all: of each"
    lost.add_argument(
        "--target", metavar="NAME", dest="targets", action="append", help=text
    )
    text = "folder to leave losses.json in, for the brief"
    lost.add_argument("--out", metavar="DIR", help=text)
    _add_span(lost)


def _add_allocate(verbs: Any) -> None:
    text = "share out buffer places along a serial line"
    place = _verb(verbs, "allocate", run_allocate, text)
    place.add_argument("model", metavar="MODEL")
    _add_overlay(place, _OVERLAY)
    how = place.add_mutually_exclusive_group(required=True)
    text = "places in all: where do they give the highest throughput?"
    how.add_argument("--places", metavar="N", type=int, help=text)
    text = "good units, 43/h: how few places reach it?"
    how.add_argument("--throughput", metavar="RATE", help=text)
    text = "difference that is worth detecting, as a share: 0.5%%"
    _add_share(place.add_argument, "--indifference", 0.005, text)
    text = "replications of one allocation at most; 500 by default"
    place.add_argument("--most", metavar="N", type=int, default=500, help=text)
    text = "overlay to write, which makes the line so"
    place.add_argument("--out", metavar="FILE", help=text)
    _add_span(place)


def _outcome(text: str) -> tuple[int, float]:
    """Read ``1=43.2``."""
    number, _, value = text.partition("=")
    return int(number), float(value)


_outcome.__name__ = "NUMBER=VALUE"  # argparse names it: invalid NUMBER=VALUE value


def _add_plan(verbs: Any) -> None:
    text = "say whether targets will be met, and when; or how much of what by period"
    plan = _verb(verbs, "plan", run_plan, text)
    plan.add_argument("model", metavar="MODEL")
    _add_overlay(plan, _OVERLAY)
    text = "time simulated from the line's start; to the last target by default"
    plan.add_argument("--horizon", metavar="TIME", help=text)
    text = "independent runs, or the most"
    plan.add_argument("--replications", metavar="N", type=int, help=text)
    plan.add_argument("--seed", metavar="N", type=int, help="as in the model")
    text = "stop when every probability is known to so much: 2%%; else to 5%%"
    _add_share(plan.add_argument, "--precision", None, text)
    text = "confidence of intervals: 95%%"
    _add_share(plan.add_argument, "--confidence", 0.95, text)
    text = "threads; all cores by default"
    plan.add_argument("--workers", metavar="N", type=int, help=text)
    _add_engine(plan)
    text = "begin from a state that `linewright state` saved"
    plan.add_argument("--from", metavar="STATE", dest="start_from", help=text)
    text = "CSV file of what was really made: date, product, quantity"
    plan.add_argument("--actual", metavar="FILE", help=text)
    plan.add_argument(
        "--promise",
        metavar="PRODUCT=QTY@SHARE",
        dest="promises",
        action="append",
        type=_promise,
        default=[],
        help="date for a new order, kept with this probability; may be given again",
    )
    text = (
        "targets times a factor, such as 1.2; auto: the highest that is met with 90%%"
    )
    plan.add_argument("--goal", metavar="FACTOR", help=text)
    plan.add_argument(
        "--out", metavar="DIR", help="folder of the plan; none is written by default"
    )
    _add_allow(plan)
    add = plan.add_argument_group("quantities, by linear programming").add_argument
    text = "how much of what in each period, at least cost, instead of chances"
    add("--quantities", action="store_true", help=text)
    text = "file with what could be invested in: which, and when, is then planned"
    add("--options", metavar="FILE", help=text)
    text = "let work wait at loaded stations, as simulations of each say"
    add("--congestion", action="store_true", help=text)
    add("--time-limit", metavar="TIME", help="of the search; 60s by default")


def _add_schedule(verbs: Any) -> None:
    text = "say which order is done where and when, and how good that is"
    verb = _verb(verbs, "schedule", run_schedule, text)
    verb.add_argument("model", metavar="MODEL")
    _add_overlay(verb, _OVERLAY)
    add = verb.add_argument
    text = "orders instead of the model's, CSV, Excel or B2MML by its ending: id, "
    add(
        "--orders",
        metavar="FILE",
        help=text + "product, quantity, release, due, priority",
    )
    add("--skip-bad", action="store_true", help="leave orders out that are wrong")
    text = "what counts, the most important first, with commas: tardiness, makespan, "
    text += "flow_time, setups, wip, stability, late_orders; tardiness,flow_time by "
    default = "tardiness,flow_time"
    add("--objective", metavar="NAMES", default=default, help=text + "default")
    text = "time of the search, 60s by default; Ctrl-C ends it with the best so far"
    add("--limit", metavar="TIME", default="60s", help=text)
    text = "a schedule before this one, as --out or a file: what is new is put into it"
    add("--former", metavar="PATH", help=text)
    text = "journal of a line that follows a schedule: what is left of it is scheduled "
    text += "from how it is now; --former is then what it follows, by default"
    add("--from", metavar="JOURNAL", dest="from_", help=text)
    text = "time from the start, with --from from now, in which the former schedule "
    text += "stays as it is: 2 d"
    add("--frozen", metavar="TIME", help=text)
    text = "simulations that say how likely each order is in time; none by default"
    add("--replications", metavar="N", type=int, default=0, help=text)
    add("--seed", metavar="N", type=int, help="as in the model")
    text = "threads of the search; the cores by default, and 8 at least"
    add("--workers", metavar="N", type=int, help=text)
    add("--out", metavar="DIR", help="folder of the schedule; none by default")
    text = "write it as one file, too: .xlsx, .xml (B2MML), .csv or .parquet; may be "
    add(
        "--export", metavar="FILE", action="append", default=[],
        help=text + "given again",
    )  # fmt: skip
    add = verb.add_argument_group("choice between several schedules").add_argument
    text = "make so many, and choose the best of them in the simulation"
    add("--candidates", metavar="N", type=int, help=text)
    text = "what the best is: on_time, the share of orders in time, or tardiness"
    add("--by", choices=("on_time", "tardiness"), default="on_time", help=text)
    text = "difference that counts: 1%% of the orders, or a time of weighted delay, 2h"
    add("--indifference", metavar="SHARE|TIME", help=text)
    _add_share(add, "--confidence", 0.95, "probability of being right: 95%%")
    text = "simulations of one candidate at most, 400 by default"
    add("--most", metavar="N", type=int, default=400, help=text)


def _promise(text: str) -> tuple[str, int, float]:
    """Read ``trainer=10@90%``; the share is 90 % if it is not said."""
    product, equals, rest = text.rpartition("=")
    number, _, share = rest.partition("@")
    try:
        quantity, probability = int(number), _share_of_one(share or "90%")
    except ValueError:
        equals = ""
    if not (product.strip() and equals):
        msg = f'"{text}" is no order; write it like trainer=10@90%'
        raise argparse.ArgumentTypeError(msg)
    return product.strip(), quantity, probability


def _add_study(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument_group("study (as in the model by default)").add_argument
    add("--horizon", metavar="TIME", help='length of a replication, "52 weeks"')
    add("--replications", metavar="N", type=int, help="independent runs, or the most")
    add("--warmup", metavar="TIME", help='time cut from the start, or "auto"')
    add("--seed", metavar="N", type=int, help="same seed, same numbers")
    add("--study", choices=("terminating", "steady_state"))
    _add_share(add, "--precision", None, "stop at this share of the throughput: 1%%")
    _add_share(add, "--confidence", 0.95, "confidence of intervals: 95%%")
    add("--units", metavar="N", type=int, help="stop when so many units have left")
    add("--workers", metavar="N", type=int, help="threads; all cores by default")
    _add_engine(verb)
    text = "begin from a state that `linewright state` saved"
    add("--from", metavar="STATE", dest="start_from", help=text)
    _add_allow(verb)


def _add_span(verb: argparse.ArgumentParser) -> None:
    """Add what a study of improvements takes; it stops at no precision."""
    add = verb.add_argument_group("study (as in the model by default)").add_argument
    add("--horizon", metavar="TIME", help='length of a replication, "52 weeks"')
    add("--replications", metavar="N", type=int, help="independent runs")
    add("--warmup", metavar="TIME", help='time cut from the start, or "auto"')
    add("--seed", metavar="N", type=int, help="same seed, same numbers")
    _add_share(add, "--confidence", 0.95, "confidence of intervals: 95%%")
    add("--workers", metavar="N", type=int, help="threads; all cores by default")


def _add_engine(verb: argparse.ArgumentParser) -> None:
    text = "where replications run: threads (the default), or a Ray cluster: the one "
    text += "at RAY_ADDRESS, else one of this machine; the result is the same"
    verb.add_argument(
        "--engine", choices=("threads", "ray"), default="threads", help=text
    )


def _add_allow(verb: argparse.ArgumentParser) -> None:
    text = "run the Python of the model's own rules, which may do all that you may"
    verb.add_argument("--allow-python", action="store_true", help=text)


def _add_share(add: Any, name: str, default: float | None, text: str) -> None:
    add(name, metavar="SHARE", type=_share_of_one, default=default, help=text)


def _share_of_one(text: str) -> float:
    """Read ``1%`` or ``0.01``."""
    if text.strip().endswith("%"):
        return float(text.strip()[:-1]) / 100
    return float(text)


_share_of_one.__name__ = "share"  # argparse names it: invalid share value


def _add_look_verbs(verbs: Any) -> None:
    state = _verb(verbs, "state", run_state, "save the simulated line at an instant")
    state.add_argument("model", metavar="MODEL")
    state.add_argument("--at", metavar="TIME", required=True, help="3 d, or local time")
    state.add_argument("--out", metavar="FILE", help="MODEL.npz by default")
    why = _verb(verbs, "why", run_why, "say why something waits at an instant")
    why.add_argument("model", metavar="MODEL")
    why.add_argument(
        "entity",
        metavar="ENTITY",
        help="station, server, buffer, product, tool, loop or material, or a part "
        "such as frame:17",
    )
    why.add_argument(
        "--at", metavar="TIME", required=True, help="3d10:42, 3 d 10 h, or local time"
    )
    trace, recall = _add_trace(verbs)
    animate = _verb(verbs, "animate", run_animate, "write a page that plays the line")
    animate.add_argument("model", metavar="MODEL")
    add = animate.add_argument
    text = "where to begin: 3d10:42, 3 d 10 h, or local time; the start by default"
    add("--from-time", metavar="TIME", help=text)
    text = "how much to show, 8h or 1 week; up to the study's horizon by default"
    add("--for", metavar="TIME", dest="length", help=text)
    text = "simulated seconds a second: 1 is real time; by default as much as one sees"
    add("--speed", metavar="N", type=float, help=text)
    add("--out", metavar="FILE", help="MODEL-animation.html by default")
    spc = _add_spc(verbs)
    for verb in (state, why, trace, recall, spc, animate):
        _add_overlay(verb, _OVERLAY)
        _add_allow(verb)
        verb.add_argument("--seed", metavar="N", type=int, help="as in the model")
        text = "which replication; the first, 0, by default"
        verb.add_argument("--replication", metavar="N", type=int, default=0, help=text)


def _add_trace(verbs: Any) -> tuple[argparse.ArgumentParser, ...]:
    text = "say what became of a unit, or write what happened, event by event"
    trace = _verb(verbs, "trace", run_trace_of, text, also=["life"])
    text = "model, which is simulated; or a journal, or the .units of a run"
    trace.add_argument("model", metavar="MODEL", help=text)
    add = trace.add_argument
    text = "a unit: its life, measured values, lots, what it is made of and went into"
    add("unit_named", metavar="PRODUCT:NUMBER", nargs="?", help=text)
    add("--up", action="store_true", help="only what it went into")
    add("--down", action="store_true", help="only what it is made of")
    text = (
        "file to write: the event log in Parquet or, all about units, NAME.units, or "
    )
    text += "NAME.jsonocel for process mining (OCEL 2.0)"
    add("--out", metavar="FILE", help=text)
    add("--until", metavar="TIME", help="the horizon by default")
    add("--unit", metavar="PRODUCT:NUMBER", help="rows of the log of one unit")
    add("--station", metavar="NAME", help="one station's Gantt chart")
    text = "say which units hold a lot of bought material, or a part"
    recall = _verb(verbs, "recall", run_recall, text)
    text = "journal, the .units of a run, or a model, which is simulated"
    recall.add_argument("model", metavar="JOURNAL", help=text)
    add = recall.add_argument
    text = "lot such as resin:3, or as its supplier calls it, or a unit; none: all lots"
    add("lot", metavar="LOT", nargs="?", help=text)
    add("--out", metavar="FILE", help="CSV file of the units")
    add("--until", metavar="TIME", help="the horizon by default")
    return trace, recall


def _add_spc(verbs: Any) -> argparse.ArgumentParser:
    text = "say whether what was measured is in control, and what it can hold"
    spc = _verb(verbs, "spc", run_spc, text)
    text = "journal, the .units of a run, or a model, which is simulated"
    spc.add_argument("model", metavar="JOURNAL", help=text)
    add = spc.add_argument
    text = "one of them, such as bore or shaft:bore; all, and rejected units, without"
    add("--characteristic", metavar="NAME", help=text)
    text = (
        "values in a subgroup: 1, the default, charts single values and moving ranges"
    )
    add("--subgroup", metavar="N", type=int, default=1, help=text)
    text = "units in a sample of the chart of rejected ones; 50 by default"
    add("--sample", metavar="N", type=int, default=50, help=text)
    text = "rules that signal; nelson by default"
    add("--rules", choices=("nelson", "western_electric"), default="nelson", help=text)
    add("--out", metavar="FILE", help="page to write; NAME-spc.html by default")
    add("--until", metavar="TIME", help="the horizon by default")
    return spc


def _add_security(verb: Any) -> None:
    text = "folder of certificates, as `linewright pki init` makes it; pki by default"
    verb.add_argument("--pki", metavar="FOLDER", default="pki", help=text)
    text = "neither certificates nor encryption, on this computer alone"
    verb.add_argument("--no-security", action="store_true", help=text)


def _add_machine_verbs(verbs: Any) -> None:
    text = "serve the machines of the line over OPC UA, played"
    emulate = _verb(verbs, "emulate", run_emulate, text)
    emulate.add_argument("model", metavar="MODEL")
    _add_overlay(emulate, _OVERLAY)
    add = emulate.add_argument
    add("--host", metavar="ADDRESS", default="127.0.0.1", help="127.0.0.1 by default")
    add("--port", metavar="N", type=int, default=4840, help="4840 by default")
    text = "seconds of the line in a second; 1 by default"
    add("--speed", metavar="N", type=float, default=1.0, help=text)
    add("--seed", metavar="N", type=int, help="as in the model")
    text = "file in which machines and units remember what was done, over a kill"
    add("--memory", metavar="FILE", help=text)
    text = "something that goes wrong, such as `stuck:weld@10 min+5 min`; several times"
    add("--fault", metavar="FAULT", action="append", default=[], help=text)
    text = (
        "serve a machine as tags, such as `weld=packml` or `pack=bits`; several times"
    )
    add("--profile", metavar="PROFILE", action="append", default=[], help=text)
    _add_security(emulate)
    text = "have a machine do work, and say whether it keeps the contract"
    conform = _verb(verbs, "conformance", run_conformance, text)
    conform.add_argument("model", metavar="MODEL")
    conform.add_argument("machine", metavar="MACHINE", help="such as weld or cut/2")
    _add_overlay(conform, _OVERLAY)
    add = conform.add_argument
    text = "where it is and how it is spoken with"
    add("--machines", metavar="FILE", required=True, help=text)
    text = "it may do real work, and forgets its jobs before it joins a line"
    add("--works", action="store_true", help=text)
    add("--first", metavar="N", type=int, default=1, help="number of the first job")
    _add_security(conform)
    text = "make certificates for machines and controller, trust them, show them"
    pki = _verb(verbs, "pki", run_pki, text)
    does = pki.add_subparsers(dest="do", metavar="init|trust|user|show", required=True)
    for name in ("init", "trust", "user", "show"):
        one = does.add_parser(name)
        for flag in ("--json", "--quiet"):
            one.add_argument(flag, action="store_true", default=argparse.SUPPRESS)
        if name == "trust":
            one.add_argument("side", choices=("controller", "machines"))
            one.add_argument("certificate", metavar="CERTIFICATE")
        if name == "user":
            one.add_argument("name", metavar="NAME", help="who comes in by a password")
            text = "how long it is good; 90 days by default"
            one.add_argument("--days", metavar="N", type=int, default=90, help=text)
        one.add_argument(
            "--pki", metavar="FOLDER", default="pki", help="pki by default"
        )


def _add_run_verbs(verbs: Any) -> None:
    run = _verb(verbs, "run", run_run, "run the line, and keep a journal of it")
    run.add_argument("model", metavar="MODEL")
    _add_overlay(run, _OVERLAY)
    add = run.add_argument
    add("--emulate", action="store_true", help="play the machines")
    text = "run it on the machines there, such as opc.tcp://127.0.0.1:4840"
    add("--opcua", metavar="ADDRESS", help=text)
    text = "run it on machines each of which is where FILE says, as its profile says"
    add("--machines", metavar="FILE", help=text)
    add("--user", metavar="NAME", help="name at the machines, where they ask for one")
    text = "file with the password of that name, which you alone can read"
    add("--password-file", metavar="FILE", help=text)
    text = "MODEL.journal by default; goes on with it. A file, or an address such as "
    text += "postgresql://host/database#name"
    add("--journal", metavar="JOURNAL", help=text)
    text = "seconds of the line in a second; by default as fast as it goes with "
    text += "--emulate, and 1 with --opcua"
    add("--speed", metavar="N", type=float, help=text)
    add("--until", metavar="TIME", help="when to stop; the study's horizon by default")
    add("--seed", metavar="N", type=int, help="as in the model")
    text = "wait for orders when nothing is left to do, until then or Ctrl-C"
    add("--stay", action="store_true", help=text)
    text = "with --emulate, wait at a closed gate until somebody releases it; by "
    text += "default it is released at once"
    add("--ask-at-gates", action="store_true", help=text)
    text = "follow a schedule: a folder of `linewright schedule --out`, or its table"
    add("--schedule", metavar="PATH", help=text)
    _add_security(run)
    _add_machine_verbs(verbs)
    _add_forecast(verbs)
    _add_verify(verbs)
    _add_serve(verbs)
    _add_keys(verbs)
    add_accounts_verb(verbs, _verb)


def _add_serve(verbs: Any) -> None:
    serve = _verb(verbs, "serve", run_serve, "show a line that runs, in a browser")
    add = serve.add_argument
    add(
        "journal", metavar="JOURNAL", help="the journal of the line, which is only read"
    )
    text = "model file of the line: evidence beside it counts when drift is looked for"
    add("--model", metavar="MODEL", help=text)
    _add_overlay(serve, _OVERLAY)
    add("--port", metavar="N", type=int, default=8765, help="8765 by default; 0: any")
    text = "address to listen on; only this machine's own, 127.0.0.1, without TLS"
    add("--host", metavar="ADDRESS", default="127.0.0.1", help=text)
    text = "name by which browsers call the host; may be given more than once"
    add("--name", metavar="NAME", action="append", default=[], dest="names", help=text)
    add("--certificate", metavar="FILE", help="TLS certificate, in PEM")
    add("--key", metavar="FILE", help="its private key, in PEM, readable by you alone")
    text = "how many viewers can log in, each with a token of its own; 1 by default, "
    text += "0 with --accounts"
    add("--tokens", metavar="N", type=int, help=text)
    text = "how many operators can, who may hold stations and decide about units"
    add("--operators", metavar="N", type=int, default=0, help=text)
    text = "how many engineers can, who may bring orders and change them too"
    add("--engineers", metavar="N", type=int, default=0, help=text)
    add("--keys", metavar="FILE", help="keys of other systems; see `linewright keys`")
    text = "people who log in with a password; see `linewright accounts`"
    add("--accounts", metavar="FILE", help=text)
    text = "file to which logins, refusals and requests are added"
    add("--audit", metavar="FILE", help=text)


def _add_forecast(verbs: Any) -> None:
    text = "say when the orders of a running line will be done"
    ahead = _verb(verbs, "forecast", run_forecast, text)
    ahead.add_argument("journal", metavar="JOURNAL")
    add = ahead.add_argument
    add("--until", metavar="TIME", help="how far; the study's horizon by default")
    add("--replications", metavar="N", type=int, default=100, help="100 by default")
    add("--seed", metavar="N", type=int, help="as in the journal")


def _add_verify(verbs: Any) -> None:
    text = "read a whole journal, and say whether anything in it was changed"
    verify = _verb(verbs, "verify", run_verify, text)
    verify.add_argument("journal", metavar="JOURNAL")
    text = "do every record again, and hold what follows against what is written"
    verify.add_argument("--redo", action="store_true", help=text)


def _add_keys(verbs: Any) -> None:
    keys = _verb(verbs, "keys", run_keys, "keys of other systems, such as an ERP")
    does = keys.add_subparsers(dest="do", metavar="add|list|remove", required=True)
    for name in ("add", "list", "remove"):
        one = does.add_parser(name)
        one.add_argument("file", metavar="FILE")
        one.add_argument("--quiet", action="store_true", default=argparse.SUPPRESS)
        if name == "list":
            continue
        one.add_argument("name", metavar="NAME", help="of the system that has the key")
        if name == "add":
            text = "viewer, operator or engineer"
            one.add_argument("--role", metavar="ROLE", default="viewer", help=text)
            text = "for how many days it opens; 90 by default"
            one.add_argument("--days", metavar="N", type=int, default=90, help=text)


def _add_record_verbs(verbs: Any) -> None:
    fit = _verb(verbs, "fit", run_fit, "make a model of a plant's records")
    _add_log(fit)
    add = fit.add_argument
    add("--out", metavar="FILE", help="model file; its evidence is put beside it")
    add("--force", action="store_true", help="replace what is there")
    text = "part that is not used, for validate: the last 30%%, or from a date on"
    add("--hold-back", metavar="PART", help=text)
    add("--name", metavar="TEXT", help="name of the model; that of the log by default")
    text = "products with fewer cases are put together; 10 by default"
    add("--min-cases", metavar="N", type=int, default=10, help=text)
    text = "simulate so many models as they may be, too, and say what that does"
    add("--carry", metavar="N", type=int, help=text)
    add("--seed", metavar="N", type=int, default=1, help="of tests and draws; 1")
    text = "hold a model against records: agrees, drifts since, cannot tell"
    held = _verb(verbs, "validate", run_validate, text)
    held.add_argument("model", metavar="MODEL")
    _add_log(held)
    _add_overlay(held, _OVERLAY)
    add = held.add_argument
    text = "compare from this date on; by default what fit held back, or a third"
    add("--from", metavar="DATE", dest="from_time", help=text)
    text = "share of the model's mean that counts as the same; 10%%"
    add("--margin", metavar="SHARE", default="10%", help=text)
    text = "cases come as in the log (the default), or as the model has it"
    add("--arrivals", choices=("log", "model"), default="log", help=text)
    add("--replications", metavar="N", type=int, default=20, help="simulations; 20")
    add("--seed", metavar="N", type=int, default=1, help="of the simulations; 1")
    text = "say of each input whether the line is still within its model"
    drift = _verb(verbs, "drift", run_drift, text)
    drift.add_argument("model", metavar="MODEL")
    _add_log(drift)
    _add_overlay(drift, _OVERLAY)
    add = drift.add_argument
    text = "chance that anything is said to drift in a line that does not; 1%%"
    add("--alarm", metavar="SHARE", default="1%", help=text)
    text = "a mean that changed by less is not told of; 5%%"
    add("--margin", metavar="SHARE", default="5%", help=text)
    text = "of each line, to show what the proposal does; 10"
    add("--replications", metavar="N", type=int, default=10, help=text)
    add("--out", metavar="DIR", help="folder of the proposal; results/NAME-drift")


def _add_log(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    text = "CSV, Parquet, XES or OCEL 2.0 (also .gz), a trace, or a journal"
    add("log", metavar="LOG", help=text)
    text = "what columns mean: case=...,activity=...,station=...,start=...,end=..., "
    text += "or a YAML file of such; by their usual names by default"
    add("--columns", metavar="MAPPING", help=text)
    text = "use the rest of a log of which some rows cannot be used"
    add("--use-rest", action="store_true", help=text)
    text = "local start of a trace, which does not say it; 2027-01-04"
    add("--start", metavar="DATE", help=text)
    add("--zone", metavar="ZONE", default="UTC", help="time zone of a trace; UTC")
