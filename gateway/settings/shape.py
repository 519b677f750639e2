"""Short forms of the YAML written out, so that everything behind reads one form only."""

import os
from collections.abc import Callable

from gateway.settings.scalars import Plain

Members = dict[str, Plain]

SQLITE = "sqlite:///"


def written_out(data: Plain, folder: str) -> Plain:
    """The data with its short forms written out, and with paths of files that start at the root or at `folder`."""
    if not isinstance(data, dict):
        return data
    shaped: Members = dict(data)
    _change(shaped, "listen", _texts)
    _change(shaped, "tls", lambda tls: _files(tls, folder))
    _change(shaped, "access_log", lambda log: _log_file(log, folder))
    _change(shaped, "store", lambda store: _store(store, folder))
    _change(shaped, "portal", lambda portal: _portal(portal, folder))
    _change(shaped, "management", lambda management: _management(management, folder))
    _change(shaped, "apis", lambda found: _each(found, lambda _, one: _files(one, folder)))
    _change(shaped, "providers", lambda found: _each(found, lambda _, one: _provider(one, folder)))
    _change(shaped, "routes", lambda found: _each(found, lambda name, one: _route(name, one, folder)))
    return shaped


def _texts(written: Plain) -> Plain:
    """One text for a list of it. A number is told of as the text that it is, a bare port as one without its host."""
    each = written if isinstance(written, list) else [written]
    if not all(isinstance(one, str) or (isinstance(one, int) and not isinstance(one, bool)) for one in each):
        return written
    return [str(one) for one in each]


def _change(members: Members, name: str, change: Callable[[Plain], Plain]) -> None:
    if name in members:
        members[name] = change(members[name])


def _each(found: Plain, change: Callable[[str, Plain], Plain]) -> Plain:
    if not isinstance(found, dict):
        return found
    return {name: change(name, each) for name, each in found.items()}


def _store(written: Plain, folder: str) -> Plain:
    """The file of SQLite starts at the folder as others do; three slashes begin a path that is relative."""
    if not isinstance(written, dict):
        return written
    url = written.get("url", SQLITE + "tokenward.db")
    if not isinstance(url, str) or not url.startswith(SQLITE) or url.startswith(SQLITE + "/"):
        return written
    return {**written, "url": SQLITE + os.path.abspath(os.path.join(folder, url.removeprefix(SQLITE)))}


def _portal(written: Plain, folder: str) -> Plain:
    if not isinstance(written, dict):
        return written
    shaped: Members = dict(written)
    _change(shaped, "tls", lambda tls: _files(tls, folder))
    return shaped


def _management(written: Plain, folder: str) -> Plain:
    if not isinstance(written, dict):
        return written
    shaped: Members = dict(written)
    _change(shaped, "notices", lambda notices: _each(notices, lambda _, one: _files(one, folder)))
    return shaped


def _provider(written: Plain, folder: str) -> Plain:
    if not isinstance(written, dict):
        return written
    shaped: Members = dict(written)
    _change(shaped, "transport", lambda transport: _files(transport, folder))
    return shaped


def _route(name: str, written: Plain, folder: str) -> Plain:
    if not isinstance(written, dict):
        return written
    shaped: Members = {"api": name, **{key: value for key, value in written.items() if (key, value) != ("api", None)}}
    _change(shaped, "upstream", lambda upstream: _upstream(upstream, folder))
    _change(shaped, "policies", lambda policies: _policies(policies, folder))
    return shaped


def _upstream(written: Plain, folder: str) -> Plain:
    if isinstance(written, str):
        return {"targets": [written]}
    if not isinstance(written, dict):
        return written
    shaped: Members = dict(written)
    _change(shaped, "probe", _probe)
    return _files(shaped, folder)


def _probe(written: Plain) -> Plain:
    if not isinstance(written, dict):
        return written
    shaped: Members = dict(written)
    _change(shaped, "statuses", _texts)
    return shaped


def _policies(written: Plain, folder: str) -> Plain:
    if not isinstance(written, list):
        return written
    return [_each(entry, lambda _, options: _files(options, folder)) for entry in written]


def _files(members: Plain, folder: str) -> Plain:
    """What ends in `_file` is the path of a file, in our sections as in a policy's options."""
    if not isinstance(members, dict):
        return members
    return {
        name: os.path.join(folder, value) if name.endswith("_file") and isinstance(value, str) else value
        for name, value in members.items()
    }


def _log_file(written: Plain, folder: str) -> Plain:
    if not isinstance(written, dict):
        return written
    to = written.get("to")
    if not isinstance(to, str) or to in ("stdout", "stderr", "off"):
        return written
    return {**written, "to": os.path.join(folder, to)}
