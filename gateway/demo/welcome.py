"""What the demo says when it has started: where things are, and what to try."""

from collections.abc import Iterable, Mapping

from gateway.demo.curls import Curl

ASKING = """\
In a browser, at the developer portal, access is asked for and granted:

  1. Sign in under any name, and ask for access to Orders with the tier Gold.
  2. In a private window, sign in as olga, who decides, and approve it.
  3. In the first window, show the credentials. The commands below them get a
     token and call the API: 200.
  4. As olga, revoke the contract. The next call is refused: 403."""
"""What people do; each line at most 80 columns wide."""

BOLD, GREY, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def welcome(places: Mapping[str, str], moved: Iterable[tuple[int, str]], curls: Iterable[Curl], *, colour: bool) -> str:
    """The text, at most 80 columns wide as long as the tokens are opaque.

    `places` are URLs by what is there; `moved` are ports that were taken and the URLs that stand in for them.
    """
    bold, grey, plain = (BOLD, GREY, PLAIN) if colour else ("", "", "")
    width = max(len(name) for name in places)
    lines = [
        f"{bold}Tokenward demo{plain}: a gateway, an identity provider and an API in one process.",
        f"{bold}Nothing is stored. Not for production.{plain}",
        "",
        *(f"  {name:{width}}  {url}" for name, url in places.items()),
        "",
        *(f"Port {port} is taken; {url} stands in for it." for port, url in moved),
        "Paste these into another terminal, in this order. Below each command stands",
        "the status line to expect. Ctrl-C ends the demo.",
    ]
    for number, curl in enumerate(curls, start=1):
        lines += ["", f"{grey}# {number}. {curl.about}{plain}", curl.command, f"{grey}# {curl.status_line}{plain}"]
    return "\n".join([*lines, "", ASKING]) + "\n"
