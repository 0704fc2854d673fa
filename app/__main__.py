"""The commands: `python -m app serve | demo | token | openapi`."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import orjson
import structlog
import typer
from joserfc import jwt
from joserfc.jwk import OctKey

from app.clock import SystemClock
from app.embedded import DataDirTaken, EmbeddedStoreFailed
from app.main import VERSION, create_app
from app.serving import PortTaken, listen, run, serve
from app.settings import SECRET_LENGTH, Misconfigured, Settings
from app.telemetry import configure

WEAK_KEY = 16

log = structlog.get_logger()

cli = typer.Typer(
    name="python -m app",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The Wazzup Gateway: chat links for CRM pages, and the chat window's events for CRM servers.",
)


@cli.command("serve")
def serve_command() -> None:
    """Serve the gateway, configured from the environment (and .env, if there is one)."""
    settings = _settings()
    settings.wazzup_credential()
    configure(level=settings.log_level, form=settings.log_format)
    app = create_app(settings)
    if not settings.knows_a_caller:
        log.warning("callers.missing", hint="Nobody may call: set API_KEYS, ADMIN_API_KEYS or a JWT_ variable.")
    if any(len(key.get_secret_value()) < WEAK_KEY for key in (*settings.api_keys, *settings.admin_api_keys)):
        log.warning("secret.weak", hint=f"API_KEYS, ADMIN_API_KEYS: use at least {WEAK_KEY} random characters.")
    if settings.jwt_secret and len(settings.jwt_secret.get_secret_value()) < SECRET_LENGTH:
        log.warning("secret.weak", hint=f"JWT_SECRET: use at least {SECRET_LENGTH} characters (RFC 7518, section 3.2).")
    with listen(settings.host, settings.port) as sock:
        port = sock.getsockname()[1]
        run(
            serve(
                app,
                sock,
                ready=lambda: log.info("gateway.started", version=VERSION, host=settings.host, port=port),
            )
        )
    log.info("gateway.stopped")


@cli.command("demo")
def demo_command() -> None:
    """Run the gateway with a simulated Wazzup and an embedded store, on 127.0.0.1: no account, no Docker."""
    from app.demo import demo  # noqa: PLC0415 - only this command needs the simulator

    settings = _settings()
    configure(level=settings.log_level, form=settings.log_format or "console")
    demo(port=settings.port, data_dir=settings.data_dir / "demo")


@cli.command("token")
def token_command(
    user: Annotated[str, typer.Option(help="CRM user id: the token speaks for this user only.")],
    name: Annotated[str | None, typer.Option(help="The user's name, shown to contacts as the sender.")] = None,
    hours: Annotated[float, typer.Option(help="Valid for so many hours.", min=0.01, max=24 * 365)] = 1,
) -> None:
    """Print a user token, signed with JWT_SECRET, for trying things out. In production the CRM signs them."""
    settings = _settings()
    if settings.jwt_secret is None:
        raise Misconfigured(["JWT_SECRET: not set. With JWT_PUBLIC_KEY or JWT_JWKS_URL only the CRM can sign tokens"])
    now = SystemClock().now()
    claims = {"sub": user, "aud": settings.jwt_audience, "iat": now, "exp": now + timedelta(hours=hours)}
    optional = {"name": name, "iss": settings.jwt_issuer}
    key = OctKey.import_key(settings.jwt_secret.get_secret_value())
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
