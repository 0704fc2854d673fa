"""The commands: `python -m app serve | worker | demo | doctor | token | openapi`."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import orjson
import structlog
import typer
from joserfc import jwt
from joserfc.jwk import OctKey

from app.accounts import DEFAULT, Account
from app.accounts_file import named
from app.clock import SystemClock
from app.diagnosis.configured import doubts
from app.diagnosis.examination import User
from app.doctor import Wish, doctor
from app.embedded import DataDirTaken, EmbeddedStoreFailed
from app.main import VERSION, create_app
from app.serving import PortTaken, listen, run, serve
from app.settings import Settings
from app.telemetry import configure
from app.variables import Misconfigured
from app.worker import work

log = structlog.get_logger()

cli = typer.Typer(
    name="python -m app",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The Wazzup Gateway: chat links for CRM pages, and the chat window's events for CRM servers.",
)


@cli.command("serve")
def serve_command(
    delivers: Annotated[bool, typer.Option("--worker/--no-worker", help="Deliver webhooks too.")] = True,
) -> None:
    """Serve the gateway, configured from the environment (and .env, if there is one)."""
    settings = _settings()
    accounts = settings.accounts()
    for account in accounts.values():
        account.wazzup_way()
    configure(level=settings.log_level, form=settings.log_format)
    app = create_app(settings, delivers=delivers)
    for name, account in accounts.items():
        _warn_of(name, account)
    if settings.unheard:
        hint = f"{', '.join(settings.unheard)}: no account inherits this. Write it into its table in ACCOUNTS_FILE."
        log.warning("variables.unheard", hint=hint)
    with listen(settings.host, settings.port) as sock:
        port = sock.getsockname()[1]
        run(
            serve(
                app,
                sock,
                stopping=app.stopping,
                reread=app.reread if settings.accounts_file else _nothing_to_reread,
                ready=lambda: log.info("gateway.started", version=VERSION, host=settings.host, port=port),
            )
        )
    log.info("gateway.stopped")


@cli.command("worker")
def worker_command() -> None:
    """Only deliver webhooks, for gateways on the same Redis: run as many as needed."""
    settings = _settings()
    for account in settings.accounts().values():
        account.wazzup_way()
    configure(level=settings.log_level, form=settings.log_format)
    run(work(settings, ready=lambda: log.info("worker.started", version=VERSION)))
    log.info("worker.stopped")


def _warn_of(name: str, account: Account) -> None:
    for what, hint in doubts(account):
        log.warning(what, account=name, hint=named(name, hint))


def _nothing_to_reread() -> None:
    log.info("accounts.unchanged", hint="ACCOUNTS_FILE is not set, so there is nothing to read again.")


@cli.command("demo")
def demo_command() -> None:
    """Run the gateway, a simulated Wazzup, a small CRM and an embedded store, on 127.0.0.1: no account, no Docker."""
    from app.demo import Console, demo  # noqa: PLC0415 - only this command needs the simulator

    settings = _settings()
    # The page tells what happens; who wants to read it here too says so.
    level = settings.log_level if "log_level" in settings.model_fields_set else "warning"
    console = Console(level, settings.log_format or "console")
    demo(port=settings.port, data_dir=settings.data_dir / "demo", console=console)


@cli.command("doctor")
def doctor_command(
    user: Annotated[str | None, typer.Option(help="CRM user id: asks for a link for this user too.")] = None,
    name: Annotated[str | None, typer.Option(help="The user's name, by which Wazzup is told of the user.")] = None,
    account: Annotated[str | None, typer.Option(help="Look at this account only; by default at all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for machines.")] = False,
) -> None:
    """Check configuration, store and Wazzup; say what is wrong, and which variable mends it. Exit 1 if anything is."""
    wish = Wish(account=account, user=User(user, name) if user is not None else None)
    if not doctor(Path(".env"), wish, as_json=as_json):
        raise typer.Exit(1)


@cli.command("token")
def token_command(
    user: Annotated[str, typer.Option(help="CRM user id: the token speaks for this user only.")],
    name: Annotated[str | None, typer.Option(help="The user's name, shown to contacts as the sender.")] = None,
    hours: Annotated[float, typer.Option(help="Valid for so many hours.", min=0.01, max=24 * 365)] = 1,
    account: Annotated[str, typer.Option(help="The account that the user belongs to.")] = DEFAULT,
) -> None:
    """Print a user token, signed with JWT_SECRET, for trying things out. In production the CRM signs them."""
    accounts = _settings().accounts()
    if account not in accounts:
        raise Misconfigured([f"--account: there is none of this name. These are served: {', '.join(accounts)}"])
    chosen = accounts[account]
    if chosen.jwt_secret is None:
        hint = "JWT_SECRET: not set. With JWT_PUBLIC_KEY or JWT_JWKS_URL only the CRM can sign tokens"
        raise Misconfigured([named(account, hint)])
    now = SystemClock().now()
    claims = {"sub": user, "aud": chosen.jwt_audience, "iat": now, "exp": now + timedelta(hours=hours)}
    optional = {"name": name, "iss": chosen.jwt_issuer}
    key = OctKey.import_key(chosen.jwt_secret.get_secret_value())
    typer.echo(jwt.encode({"alg": "HS256"}, claims | {k: v for k, v in optional.items() if v}, key))


@cli.command("openapi")
def openapi_command() -> None:
    """Print the OpenAPI document."""
    document = create_app(Settings.given()).openapi()
    typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


def _settings() -> Settings:
    return Settings.from_environment(Path(".env"))


def main() -> None:
    """Runs a command; what the operator can mend ends with a sentence and status 2, not with a traceback."""
    try:
        cli()
    except Misconfigured as error:
        _refuse("The gateway cannot start:", *error.problems)
    except (PortTaken, DataDirTaken, EmbeddedStoreFailed) as error:
        _refuse(str(error))


def _refuse(*sentences: str) -> NoReturn:
    typer.echo("\n  ".join(sentences), err=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
