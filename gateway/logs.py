"""Logging: the standard library's, one JSON object per line on stderr, without whatever looks like a credential.

No message of ours holds a credential. This is the last line of defence, for the text of foreign exceptions: it errs on
the side of removing too much.
"""

import json
import logging
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType

LONGEST = 16_384
"""Characters of a message or a traceback; what comes after is cut."""
REMOVED = "[removed]"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a credential looks like, and what to write in its place.

    A text without any of the `words`, in lower case, cannot match: looking for those first is many times faster.
    """

    words: tuple[str, ...]
    pattern: re.Pattern[str]
    instead: str = REMOVED


_RULES = (
    # A header or a mapping's entry, with whatever scheme: everything up to the end of the line.
    Rule(
        ("authorization", "cookie", "api"),
        re.compile(r"(?i)((?:proxy-)?authorization|(?:set-)?cookie|api[-_]?key)(['\"]?\s*[:=,]\s*)\S[^\r\n]*"),
        rf"\1\2{REMOVED}",
    ),
    # A scheme and its credential, however they are set apart: `Bearer x`, `Bearer%20x`, `('Bearer', 'x')`.
    Rule(
        ("bearer", "basic", "dpop", "ssws"),
        re.compile(r"(?i)(bearer|basic|dpop|ssws)((?:%20|\\t|[\s:=,'\"+])+)(?:tokens?\s+)?\S+"),
        rf"\1\2{REMOVED}",
    ),
    # A JWT or a part of one: base64url of `{"`; or of `{` and white space, which also occurs inside words.
    Rule(
        ("eyj", "eya", "ew"),
        re.compile(r"(?:eyJ|(?<![A-Za-z0-9_-])e(?:yA|wo|wk|w0))[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_=-]*)*"),
    ),
    # A form's or a JSON document's secret.
    Rule(
        ("token", "assertion", "secret", "password", "passwd", "code_verifier"),
        re.compile(
            r"(?i)(_token|\btoken|assertion|secret|password|passwd|code_verifier)"
            r"(['\"]?\s*=\s*['\"]?|['\"]\s*[:,]\s*['\"]?)[^\s&'\"]+"
        ),
        rf"\1\2{REMOVED}",
    ),
    # A URL's user and password.
    Rule(("://",), re.compile(r"(?<=://)[^\s/?#'\"]+@"), f"{REMOVED}@"),
)


def redact(text: str) -> str:
    """`text` without what looks like a credential."""
    lower = text.lower()
    for rule in _RULES:
        if any(word in lower for word in rule.words):
            text = rule.pattern.sub(rule.instead, text)
    return text


class JsonLines(logging.Formatter):
    """Formats a record as one line: ts, level, logger, msg, and exception where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end. JSON escapes control characters and everything that is not ASCII."""
        line = {
            "ts": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": _clean(_message(record)),
        }
        trace = self._trace(record)
        if trace:
            line["exception"] = _clean(trace)
        return json.dumps(line)

    def _trace(self, record: logging.LogRecord) -> str:
        parts = []
        if record.exc_info:
            parts.append(self.formatException(record.exc_info))
        if record.stack_info:
            parts.append(self.formatStack(record.stack_info))
        return "\n".join(parts)


def configure(level: str) -> None:
    """Send every log record of `level` (debug, info, warning, error) and above to stderr. May be called again."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    # Where it fails to write a record, the library would print the message's arguments as they are.
    logging.raiseExceptions = False
    # It reports each change in a watched directory; ours says what became of the configuration.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    # It lists its own parts; which migrations it runs is said by another logger.
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
    sys.excepthook = _log_uncaught


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 writes them, in UTC and to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a bad argument of a log call, whatever its __str__ raises, must not lose the line
        return str(record.msg)


def _clean(text: str) -> str:
    # Redact first: a credential that was cut short might not look like one any more.
    text = redact(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("tokenward").critical("the program ended by a failure", exc_info=(kind, error, trace))
