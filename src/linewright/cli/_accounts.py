"""The verb accounts: people who log in to the live page with a password."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import Any

from linewright.cli._say import OK, Args, print_json, say, write

_DOES = {
    "add": "make an account, with a password",
    "password": "give an account another password",
    "role": "give an account another role",
    "remove": "take an account out",
    "list": "show the accounts",
}


def run_accounts(args: Args) -> int:
    """Make, change, show or take out accounts of people."""
    from linewright.web.accounts import (  # noqa: PLC0415 - slow
        change_account,
        new_account,
        read_accounts,
        without_account,
    )

    path = Path(args.file)
    if args.do == "list":
        accounts = read_accounts(path)
        if args.json:
            print_json([{"name": one.name, "role": one.role} for one in accounts])
        else:
            write("".join(f"{one.name}  {one.role}\n" for one in accounts))
        return OK
    name = args.name
    if args.do == "add":
        new_account(path, name, args.role, _password(name))
        say(args, f"{name} can log in as {args.role}: linewright serve --accounts")
    elif args.do == "password":
        change_account(path, name, password=_password(name))
        say(args, f"{name} has another password; sessions with the old one have ended")
    elif args.do == "role":
        change_account(path, name, role=args.role)
        say(args, f"{name} is {args.role} now, and has to log in again")
    else:
        without_account(path, name)
        say(args, f"{name} opens nothing any more")
    return OK


def _password(name: str) -> str:
    """Return a password: typed twice at a terminal, else the first line of stdin.

    Raises:
        ValueError: The two differ, or there is none.
    """
    if sys.stdin.isatty():
        first = getpass.getpass(f"password of {name}: ")
        if getpass.getpass("once more: ") != first:
            msg = "the two differ; nothing was changed"
            raise ValueError(msg)
        return first
    line = sys.stdin.readline()
    if not line:
        msg = "no password came; type it at a terminal, or give it on stdin"
        raise ValueError(msg)
    return line.rstrip("\r\n")


def add_accounts_verb(verbs: Any, verb: Any) -> None:
    """Add the verb; `verb` makes one with what all have."""
    text = "people who log in to the live page with a password"
    accounts = verb(verbs, "accounts", run_accounts, text)
    does = accounts.add_subparsers(dest="do", metavar="|".join(_DOES), required=True)
    for do, what in _DOES.items():
        one = does.add_parser(do, help=what, description=what)
        one.add_argument("file", metavar="FILE")
        for flag in ("--json", "--quiet"):
            one.add_argument(flag, action="store_true", default=argparse.SUPPRESS)
        if do == "list":
            continue
        one.add_argument("name", metavar="NAME", help="of the person")
        role = "viewer, operator or engineer"
        if do == "add":
            one.add_argument("--role", metavar="ROLE", default="viewer", help=role)
        elif do == "role":
            one.add_argument("role", metavar="ROLE", help=role)
