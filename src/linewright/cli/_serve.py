"""The verbs that show a running line in a browser, and say who may look."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from linewright.cli._say import OK, Args, load_line, say, tell_compiling, write
from linewright.errors import LinewrightError

if TYPE_CHECKING:
    from linewright.web.sessions import Sessions

_MOST_TOKENS = 1_000
_MOST_DAYS = 3_660


def run_serve(args: Args) -> int:
    """Show the line of a journal until Ctrl-C."""
    try:
        from linewright.web.serving import Address, serve  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if error.name not in {"starlette", "uvicorn"}:
            raise
        msg = (
            f"the live page needs {error.name}, which is not installed: "
            'pip install "linewright[web]"'
        )
        raise LinewrightError(msg) from error
    from linewright.control.places import place_of  # noqa: PLC0415 - slow
    from linewright.web.following import Follower  # noqa: PLC0415 - slow

    sessions = _sessions(args)
    if not 0 <= args.port <= 65535:
        msg = f"--port is {args.port}; it is 0 to 65535"
        raise ValueError(msg)
    certificate, key = (Path(f) if f else None for f in (args.certificate, args.key))
    address = Address(args.host, args.port, tuple(args.names), certificate, key)
    address.check()
    tell_compiling(args)
    place = place_of(args.journal)
    say(args, f"reading {place if isinstance(place, Path) else place.shown}")
    follower = Follower(place)
    audit = Path(args.audit) if args.audit else None
    n_fitted = _fitted(args, follower.opening.model_hash) if args.model else {}

    def tell(place: str) -> None:
        write(f"{place}\n{_how_to_log_in(sessions)}")
        sys.stdout.flush()
        say(args, "Ctrl-C ends it; the line goes on without")

    try:
        serve(follower, sessions, address, tell, audit=audit, n_fitted=n_fitted)
    finally:
        follower.close()
    return OK


def _fitted(args: Args, model_hash: str) -> dict[str, int]:
    """Return on how many times inputs rest, by the evidence beside the line's model.

    Raises:
        LinewrightError: It is not the model of the journal.
    """
    from linewright.cli._fit import evidence_of_model, fitted_counts  # noqa: PLC0415
    from linewright.model.load import model_hash as hash_of  # noqa: PLC0415 - slow

    line = load_line(args, args.model, args.overlay)
    found = hash_of(line)
    if found != model_hash:
        msg = (
            f"{args.model} is {found[:12]}, and the line runs by {model_hash[:12]}: "
            "what is known of the inputs of one says nothing of the other"
        )
        raise LinewrightError(msg)
    return fitted_counts(evidence_of_model(args, line), line)


def _sessions(args: Args) -> Sessions:
    """Return who can log in.

    Raises:
        ValueError: That would be nobody, or there is no such number of tokens.
    """
    from linewright.web.accounts import Accounts  # noqa: PLC0415 - slow
    from linewright.web.keys import Keys  # noqa: PLC0415
    from linewright.web.roles import ENGINEER, OPERATOR, VIEWER  # noqa: PLC0415
    from linewright.web.sessions import Sessions  # noqa: PLC0415

    n_viewers = args.tokens if args.tokens is not None else int(not args.accounts)
    counts = {VIEWER: n_viewers, OPERATOR: args.operators, ENGINEER: args.engineers}
    if not all(0 <= n <= _MOST_TOKENS for n in counts.values()):
        msg = f"--tokens, --operators and --engineers are 0 to {_MOST_TOKENS} each"
        raise ValueError(msg)
    accounts = Accounts(Path(args.accounts) if args.accounts else None)
    if not sum(counts.values()) and not args.keys and not len(accounts):
        msg = "nobody could log in: give --tokens, --operators, --engineers or --keys"
        msg += ", or --accounts with a file that has some"
        raise ValueError(msg)
    return Sessions(counts, Keys(Path(args.keys) if args.keys else None), accounts)


def _how_to_log_in(sessions: Sessions) -> str:
    """Return what is told at the start: the tokens, and whether there are accounts."""
    from linewright.web.roles import VIEWER  # noqa: PLC0415 - slow

    tokens, text = sessions.told(), ""
    if tokens:
        many = "this token" if len(tokens) == 1 else "one of these tokens"
        text += f"log in with {many}, which works once:\n"
    for role, token in tokens:
        text += f"  {token}" + ("" if role == VIEWER else f"  {role}") + "\n"
    if len(sessions.accounts):
        text += "log in with a name and a password\n"
    return text


def run_keys(args: Args) -> int:
    """Make, show or take out keys of other systems."""
    from linewright.web.keys import new_key, read_keys, without_key  # noqa: PLC0415

    path = Path(args.file)
    if args.do == "add":
        today = datetime.now(UTC).date()  # noqa: TID251 - as the server's own
        if not 1 <= args.days <= _MOST_DAYS:
            msg = f"--days is {args.days}; it is 1 to {_MOST_DAYS}"
            raise ValueError(msg)
        last_day = today + timedelta(days=args.days)
        secret = new_key(path, args.name, args.role, last_day)
        say(args, f"the key of {args.name}, until {last_day}; it is told only now")
        write(f"{secret}\n")
    elif args.do == "remove":
        without_key(path, args.name)
        say(args, f"{args.name} opens nothing any more")
    else:
        for key in read_keys(path):
            write(f"{key.name}  {key.role}  until {key.last_day}\n")
    return OK
