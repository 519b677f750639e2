"""The command line. Each command imports what it needs, so that `run` does not load what only the others use.

Data goes to stdout, errors to stderr. Exit codes: 0 done and well; 1 not well (a check failed, a request would be
refused, the gateway can't start); 2 the command is misspelled; 78 `run` was given settings with mistakes.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.commands import clients, contracts, store
from gateway.commands.options import DEFAULT, Config, Format, Shape
from gateway.settings import Settings, load
from gateway.settings.mistakes import Mistake, SettingsError

app = typer.Typer(
    name="tokenward",
    help="An API gateway that enforces OAuth 2.0 bearer tokens.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
config_app = typer.Typer(help="Look at the configuration.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(config_app, name="config")
app.add_typer(clients.app, name="clients")
app.add_typer(contracts.app, name="contracts")
app.add_typer(store.app, name="store")
app.command()(store.audit)

ConfigFile = Annotated[Path, typer.Argument(envvar="TOKENWARD_CONFIG", help="The configuration file.")]


@app.command()
def run(config: Config = DEFAULT) -> None:
    """Serve until SIGTERM. SIGHUP reloads."""
    from gateway import run as serving

    raise typer.Exit(serving.run(config))


@app.command()
def check(config: ConfigFile = DEFAULT, form: Shape = Format.TEXT) -> None:
    """Find every mistake in a configuration, without the network."""
    try:
        settings = load(config)
    except SettingsError as error:
        if form is Format.JSON:
            mistakes = [_as_json(mistake) for mistake in error.mistakes]
            typer.echo(json.dumps({"valid": False, "mistakes": mistakes, "warnings": []}))
        else:
            typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    if form is Format.JSON:
        warnings = [_as_json(warning) for warning in settings.warnings]
        typer.echo(json.dumps({"valid": True, "mistakes": [], "warnings": warnings}))
        return
    for warning in settings.warnings:
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(f"{config}: valid, {_many(len(settings.routes), 'route')}, {_many(len(settings.providers), 'provider')}")


@app.command()
def doctor(
    config: ConfigFile = DEFAULT,
    form: Shape = Format.TEXT,
    without_registration: Annotated[
        bool, typer.Option("--without-registration", help="Register no client, not even one that is deleted again.")
    ] = False,
    sign_in: Annotated[bool, typer.Option("--sign-in", help="Sign in as at the portal, with a browser.")] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Where that browser comes back to, on 127.0.0.1.")
    ] = None,
) -> None:
    """Try everything that a configuration needs: providers, registration, sign-in, the store, upstreams."""
    import signal

    from gateway.clock import SystemClock
    from gateway.doctor import Extent, as_json, as_text, examine

    settings = _settings(config)
    if sign_in and settings.portal is None:
        raise typer.BadParameter("this configuration has no portal to sign in at", param_hint="--sign-in")
    extent = Extent(registers=not without_registration, signs_in=sign_in, port=port)
    # As Ctrl-C does it: what was registered is deleted again before the command ends.
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        report = asyncio.run(examine(settings, SystemClock(), extent=extent))
    finally:
        signal.signal(signal.SIGTERM, before)
    typer.echo(as_json(report) if form is Format.JSON else as_text(report))
    raise typer.Exit(0 if report.healthy else 1)


@app.command()
def explain(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="GET, POST, …")],
    target: Annotated[str, typer.Argument(metavar="PATH", help="Path and query, as on the request line.")],
    config: Config = DEFAULT,
    token: Annotated[str | None, typer.Option(help="The bearer token; - reads it from standard input.")] = None,
    claims: Annotated[Path | None, typer.Option(help="A JSON file with what to suppose the provider said.")] = None,
    at: Annotated[str | None, typer.Option(help="When: an ISO 8601 time, or seconds since the epoch.")] = None,
    host: Annotated[str, typer.Option(help="The Host header.")] = "localhost",
    header: Annotated[list[str] | None, typer.Option(help="Another header, as 'Name: value'.")] = None,
    form: Shape = Format.TEXT,
) -> None:
    """Say why a request would be allowed or refused, check by check. Nothing is forwarded."""
    from gateway import explain as explaining
    from gateway import explain_words as words
    from gateway import logs
    from gateway.clock import SystemClock

    logs.configure("error")  # what is amiss is said in the explanation

    try:
        question = words.question(method, target, host, header or [], token=token, claims=claims, at=at)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    explanation = asyncio.run(explaining.explain(_settings(config), question, SystemClock()))
    typer.echo(words.as_json(explanation) if form is Format.JSON else words.as_text(question, explanation))
    raise typer.Exit(0 if explanation.outcome == "allow" else 1)


@config_app.command("show")
def config_show(config: ConfigFile = DEFAULT) -> None:
    """Print the configuration with every default, secrets hidden."""
    from gateway.settings.show import show

    typer.echo(show(_settings(config)), nl=False)


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of the configuration, from which editors complete."""
    from gateway.settings.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@app.command()
def demo(port: Annotated[int, typer.Option(help="The gateway's port.")] = 8080) -> None:
    """Start a gateway, an identity provider and an API on this machine, to try things out. Nothing is stored."""
    from gateway.demo import DemoNotInstalled, run_demo

    try:
        asyncio.run(run_demo(sys.stdout, port=port))
    except DemoNotInstalled as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


@app.command()
def healthcheck(
    admin: Annotated[
        str, typer.Option(envvar="TOKENWARD_ADMIN", help="The admin listener, host:port.")
    ] = "127.0.0.1:9090",
) -> None:
    """Exit with 0 if the gateway on this machine is ready, with 1 otherwise. For containers without a shell."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import ProxyHandler, build_opener

    try:
        # No proxy of the environment comes between a machine and itself.
        with build_opener(ProxyHandler({})).open(f"http://{admin}/readyz", timeout=3) as answer:
            typer.echo(answer.read().decode().strip())
            return
    except HTTPError as error:
        told = error.read(1000).decode(errors="replace").strip()
    except (OSError, ValueError, HTTPException) as error:
        told = str(getattr(error, "reason", error))
    typer.echo(f"{admin}: {told}", err=True)
    raise typer.Exit(1)


@app.command()
def version() -> None:
    """Print the version."""
    from gateway.build import this_build

    typer.echo(this_build().version)


def main() -> None:
    """The program."""
    app()


def _settings(config: Path) -> Settings:
    """The settings; mistakes end the command."""
    try:
        return load(config)
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def _as_json(mistake: Mistake) -> dict[str, object]:
    return {name: getattr(mistake, name) for name in ("file", "line", "column", "path", "text")}


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
