"""The one entry to the simulated Wazzup: an ASGI app, with its whole state on `app.state.world`."""

from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.middleware import Middleware

from app.simulator.controls import control_routes
from app.simulator.grants import grant_routes
from app.simulator.intake import Intake
from app.simulator.news import news_routes
from app.simulator.options import Options
from app.simulator.refusals import RefusedError, refuse
from app.simulator.v2 import v2_routes
from app.simulator.v3 import v3_routes
from app.simulator.window import window_routes
from app.simulator.world import Now, World

DEFAULTS = Options()


def create_simulator(
    *, public_url: str, options: Options = DEFAULTS, now: Now = lambda: datetime.now(UTC)
) -> Starlette:
    """Make a simulated Wazzup whose links point to `public_url`, the origin it can be reached at."""
    world = World(public_url=public_url, options=options, now=now)
    app = Starlette(
        routes=[*v2_routes(), *grant_routes(), *v3_routes(), *window_routes(), *news_routes(), *control_routes()],
        middleware=[Middleware(Intake, world=world)],
        exception_handlers={RefusedError: refuse},
    )
    # The vendor's routes have one spelling; a redirect would hide that a caller uses another.
    app.router.redirect_slashes = False
    app.state.world = world
    return app
