"""Who may know whom: the walls of the house, as `app/__init__.py` draws them."""

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import app

HOUSE = Path(str(app.__file__)).parent

DOORS = {"app.__main__", "app.main", "app.serving", "app.demo", "app.doctor", "app.worker"}
FLOOR = {"app.errors", "app.clock", "app.sealing", "app.limits"}
TOLD = {"app.settings", "app.accounts", "app.accounts_file", "app.variables"}
USE_CASES = {
    "app.links.issuer", "app.links.question", "app.links.models", "app.links.contacts",
    "app.deals.teller", "app.deals.question", "app.deals.models",
    "app.webhooks.attempt", "app.webhooks.retry", "app.webhooks.signing",
}  # fmt: skip
FOREIGN_TO_USE_CASES = {"httpx", "httpx_aiohttp", "redis", "fastapi", "starlette", "aiohttp"}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "core", "manager", "misc", "shared"}
LONGEST_FILE = 300

CLOCKS = {
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "time": {
        "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "gmtime", "localtime",
    },
}  # fmt: skip


def name_of(file: Path) -> str:
    parts = ("app", *file.relative_to(HOUSE).with_suffix("").parts)
    return ".".join(part for part in parts if part != "__init__")


MODULES = {name_of(file): file for file in sorted(HOUSE.rglob("*.py"))}
TREES = {name: ast.parse(file.read_text()) for name, file in MODULES.items()}
ROOMS = {file.parent.name for file in HOUSE.glob("*/__init__.py")}


def imports(module: str) -> Iterator[str]:
    """What `module` imports, anywhere in it: modules by their full names, foreign ones too."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{one.name}" for one in node.names}
            # `from app.links import api` imports a module; `from app.links.api import router` a name in one.
            yield from {found for found in whole if found in MODULES} or {node.module}


def ours(module: str) -> set[str]:
    return {name for name in imports(module) if name.partition(".")[0] == "app"}


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else None


def is_simulator(module: str) -> bool:
    return room_of(module) == "simulator"


def calls(module: str, clocks: dict[str, set[str]]) -> list[str]:
    """Where `module` names something like `datetime.now`, however the module was imported."""
    return [
        f"{module}:{node.lineno} {ast.unparse(node)}"
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.Attribute)
        and node.attr in clocks.get(ast.unparse(node.value).rpartition(".")[2], set())
    ]


def functions() -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for tree in TREES.values():
        yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_the_rooms_are_found_by_this_test() -> None:
    assert {"links", "deals", "wazzup", "simulator"} <= ROOMS
    assert MODULES.keys() >= USE_CASES | FLOOR
    assert "app.links.models" in ours("app.wazzup.v2")
    assert "app.links.api" in ours("app.main")


def test_no_import_is_relative() -> None:
    relative = [
        f"{module}:{node.lineno}"
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]

    assert relative == []


def test_only_settings_reads_the_environment() -> None:
    reading = [
        f"{module} {what}"
        for module in MODULES.keys() - {"app.settings"}
        for what in (
            *calls(module, {"os": {"environ", "environb", "getenv", "getenvb"}}),
            *({"pydantic_settings", "dotenv"} & {name.partition(".")[0] for name in imports(module)}),
            *re.findall(r"from os import .*(?:environ|getenv)", MODULES[module].read_text()),
        )
    ]

    assert reading == []


def test_only_clock_asks_what_time_it_is() -> None:
    asking = [
        what
        for module in MODULES.keys() - {"app.clock"}
        for what in (
            *calls(module, CLOCKS),
            *re.findall(r"from time import .*", MODULES[module].read_text()),
        )
    ]

    # The simulator knows nothing of the gateway, not even its clock; it is told the time, and has this one default.
    assert [re.sub(r":\d+ ", " ", what) for what in asking] == ["app.simulator.server datetime.now"]


def test_nothing_imports_a_door_but_another_door() -> None:
    importing = {module: ours(module) & DOORS for module in MODULES.keys() - DOORS}

    assert {module: doors for module, doors in importing.items() if doors} == {}


def test_only_doors_import_the_wiring() -> None:
    importing = {module for module in MODULES if "app.wiring" in ours(module)}

    assert importing <= DOORS


def test_only_the_wiring_and_the_doctor_import_what_assembles_an_account() -> None:
    """The doctor assembles each account for itself: what is wrong with one says nothing of the others."""
    importing = {module for module in MODULES if "app.assembly" in ours(module)}

    assert importing == {"app.wiring", "app.doctor"}


def test_accounts_know_nothing_of_http_or_redis() -> None:
    """A worker, which serves no HTTP, reads the same accounts."""
    known = {name.partition(".")[0] for module in TOLD for name in imports(module)}

    assert known & FOREIGN_TO_USE_CASES == set()
    assert {name for module in TOLD for name in ours(module)} <= TOLD | {"app.limits", "app.sealing"}


def test_only_the_demo_imports_the_simulator() -> None:
    importing = {
        module for module in MODULES if room_of(module) != "simulator" and any(map(is_simulator, ours(module)))
    }

    assert importing == {"app.demo"}


def test_the_simulator_imports_only_itself() -> None:
    strangers = {
        f"{module} imports {name}"
        for module in MODULES
        if is_simulator(module)
        for name in ours(module)
        if not is_simulator(name)
    }

    assert strangers == set()


def test_only_the_demo_imports_the_crm_of_the_demo() -> None:
    importing = {
        module
        for module in MODULES
        if room_of(module) != "crm" and any(room_of(name) == "crm" for name in ours(module))
    }

    assert importing == {"app.demo"}


def test_the_crm_of_the_demo_imports_only_itself() -> None:
    """It knows the gateway by its contract, as every CRM does."""
    strangers = {
        f"{module} imports {name}"
        for module in MODULES
        if room_of(module) == "crm"
        for name in ours(module)
        if room_of(name) != "crm"
    }

    assert strangers == set()


def test_links_knows_neither_wazzup_nor_the_simulator() -> None:
    neighbours = {
        f"{module} imports {name}"
        for module in MODULES
        if room_of(module) == "links"
        for name in ours(module)
        if room_of(name) not in {"links", None}
    }

    assert neighbours == set()


def test_deals_knows_of_links_what_a_contact_is_and_of_other_rooms_nothing() -> None:
    neighbours = {
        name for module in MODULES if room_of(module) == "deals" for name in ours(module) if room_of(name) != "deals"
    }

    assert {name for name in neighbours if room_of(name)} == {"app.links.models", "app.links.contacts"}


def test_wazzup_knows_of_links_and_deals_only_their_models_and_of_other_rooms_nothing() -> None:
    neighbours = {
        name for module in MODULES if room_of(module) == "wazzup" for name in ours(module) if room_of(name) != "wazzup"
    }

    assert {name for name in neighbours if room_of(name)} == {"app.links.models", "app.deals.models"}


def test_no_room_knows_the_settings_since_it_is_handed_its_numbers() -> None:
    """But for the diagnosis, whose subject an account is."""
    knowing = {
        f"{module} imports {name}"
        for module in MODULES
        if room_of(module)
        for name in ours(module) & (TOLD | {"app.wiring", "app.assembly"})
        if (room_of(module), name) != ("diagnosis", "app.accounts")
    }

    assert knowing == set()


def test_a_use_case_knows_neither_http_nor_redis() -> None:
    knowing = {
        f"{module} imports {name}"
        for module in USE_CASES
        for name in imports(module)
        if name.partition(".")[0] in FOREIGN_TO_USE_CASES
    }

    assert knowing == set()


def test_a_use_case_knows_no_adapter_and_no_face() -> None:
    adapters = {
        "app.store", "app.embedded", "app.links.cache", "app.links.api", "app.deals.api", "app.routes", "app.edge",
    }  # fmt: skip
    knowing = {f"{module} imports {name}" for module in USE_CASES for name in ours(module) & adapters}

    assert knowing == set()


def test_the_floor_knows_nothing_of_ours() -> None:
    knowing = {f"{module} imports {name}" for module in FLOOR for name in ours(module)}

    assert knowing == set()


def test_telemetry_knows_the_clock_and_nothing_else_of_ours() -> None:
    assert ours("app.telemetry") == {"app.clock"}


def test_no_file_is_longer_than_a_reader_likes() -> None:
    lengths = {name: len(file.read_text().splitlines()) for name, file in MODULES.items()}

    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_half_of_all_functions_are_shorter_than_ten_lines() -> None:
    lengths = [(node.end_lineno or 0) - node.lineno + 1 for node in functions()]

    assert statistics.median(lengths) < 10


def test_no_module_has_a_name_that_says_nothing() -> None:
    parts = {part for name in MODULES for part in name.split(".")}

    assert parts & FORBIDDEN_NAMES == set()


def test_there_are_no_folders_inside_rooms() -> None:
    assert [
        str(file.relative_to(HOUSE)) for file in HOUSE.rglob("*.py") if len(file.relative_to(HOUSE).parts) > 2
    ] == []


def test_every_module_opens_with_its_promise() -> None:
    assert [name for name, tree in TREES.items() if not ast.get_docstring(tree)] == []


def test_the_map_names_every_room_and_every_module_outside_of_them() -> None:
    words = set(re.findall(r"\w+", ast.get_docstring(TREES["app"]) or ""))
    places = {name.split(".")[1] for name in MODULES if name != "app"}

    assert places - words == set()
