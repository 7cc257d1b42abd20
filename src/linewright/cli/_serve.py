"""The verb that shows a running line in a browser."""

from __future__ import annotations

import sys
from pathlib import Path

from linewright.cli._say import OK, Args, say, tell_compiling, write
from linewright.errors import LinewrightError

_MOST_TOKENS = 1_000


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
    from linewright.web.sessions import Sessions  # noqa: PLC0415

    if not 1 <= args.tokens <= _MOST_TOKENS:
        msg = f"--tokens is {args.tokens}; it is 1 to {_MOST_TOKENS}"
        raise ValueError(msg)
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
    sessions = Sessions(args.tokens)

    def tell(place: str) -> None:
        tokens = "".join(f"  {token}\n" for token in sessions.told())
        many = "this token" if args.tokens == 1 else "one of these tokens"
        write(f"{place}\nlog in with {many}, which works once:\n{tokens}")
        sys.stdout.flush()
        say(args, "Ctrl-C ends it; the line goes on without")

    try:
        serve(follower, sessions, address, tell)
    finally:
        follower.close()
    return OK
