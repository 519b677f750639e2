"""Templates and static files: both are read once, and found by name in a table, never by what a visitor writes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.portal.pages.plain import plain

TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon"}
"""What a static file may be. A script is none."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is served. Its path names its contents: it may be kept for ever."""

    path: str
    media_type: str
    contents: bytes = field(repr=False)


class Rendering:
    """Makes pages of templates. Everything that is put into one is escaped, and unseen commands are taken out."""

    def __init__(self) -> None:
        self.static = _read_static()
        """By the name that the file has in `static/`."""
        self._environment = Environment(
            loader=PackageLoader("gateway.portal", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=plain,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["static"] = self._static_path

    def page(self, template: str, values: Mapping[str, object]) -> str:
        """The text of a page. Raises jinja2.UndefinedError for a value that a template wants and nobody gave."""
        return self._environment.get_template(template).render(values)

    def _static_path(self, name: str) -> str:
        return self.static[name].path


def _read_static() -> Mapping[str, StaticFile]:
    folder = files("gateway.portal").joinpath("static")
    found = sorted((each for each in folder.iterdir() if each.is_file()), key=lambda each: each.name)
    return {each.name: _static_file(each.name, each.read_bytes()) for each in found if _suffix(each.name) in TYPES}


def _static_file(name: str, contents: bytes) -> StaticFile:
    suffix = _suffix(name)
    digest = hashlib.sha256(contents).hexdigest()[:16]
    return StaticFile(f"/static/{name.removesuffix(suffix)}.{digest}{suffix}", TYPES[suffix], contents)


def _suffix(name: str) -> str:
    return name[name.rfind(".") :] if "." in name else ""
