"""Every function, class, file and command that the documents name exists."""

import argparse
import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PACKAGES = "protocol|service|hw|voice|gateway|dispatch|monitor|lab"
_NAME = re.compile(rf"`((?:{PACKAGES})(?:\.\w+)+)(?:\(\))?`")
_PATH = re.compile(rf"`((?:{PACKAGES}|docs|setup|systemd|tests)/[\w./-]*)`")


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or something inside one."""
    parts = name.split(".")
    found: object = None
    for place in range(len(parts)):
        if isinstance(found, ModuleType) or found is None:
            try:
                found = importlib.import_module(".".join(parts[: place + 1]))
                continue
            except ModuleNotFoundError:
                pass
        if not hasattr(found, parts[place]):
            return False
        found = getattr(found, parts[place])
    return True


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_of_code_in_a_document_exist(document: Path) -> None:
    names = set(_NAME.findall(document.read_text()))
    files = {name for name in names if name.rpartition(".")[2] in {"py", "toml", "md"}}
    assert sorted(name for name in names - files if not resolves(name)) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_in_a_document_exist(document: Path) -> None:
    assert sorted(path for path in set(_PATH.findall(document.read_text())) if not (ROOT / path).exists()) == []


def anchors(document: Path) -> set[str]:
    """What may stand behind a `#`: headings as they are addressed."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_in_a_document_lead_somewhere(document: Path) -> None:
    text = document.read_text()
    written = re.findall(r"\]\((?!https?:)([^)\s]+)\)", text) + re.findall(r"src=\"(?!https?:)([^\"]+)\"", text)
    links = [link.partition("#") for link in written]
    targets = [((document.parent / path).resolve() if path else document, anchor) for path, _, anchor in links]
    assert [str(target) for target, _ in targets if not target.exists()] == []
    assert [(target.name, anchor) for target, anchor in targets if anchor and anchor not in anchors(target)] == []


def test_every_package_of_ours_stands_in_the_architecture() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    packages = {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("*/*/__init__.py")}
    ours = {package for package in packages if not package.startswith("tests/")}
    assert len(ours) > 25
    assert sorted(package for package in ours if f"`{package}/`" not in text) == []


def test_the_readme_names_every_document() -> None:
    documents = {path.name for path in (ROOT / "docs").glob("*.md")}
    for readme in ("README.md", "README.ko.md"):
        assert documents <= set(re.findall(r"docs/([\w-]+\.md)", (ROOT / readme).read_text())), readme


def test_the_architecture_follows_a_press_by_name() -> None:
    names = _NAME.findall((ROOT / "docs/architecture.md").read_text())
    assert len(set(names)) > 60


@pytest.mark.parametrize("document", ["README.md", "README.ko.md", "docs/operations.md", "docs/architecture.md"])
def test_make_targets_in_a_document_exist(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`|sudo )make ([a-z-]+)", (ROOT / document).read_text(), re.MULTILINE))
    assert named
    assert named <= targets


def test_a_name_that_does_not_exist_is_noticed() -> None:
    assert resolves("gateway.core.participant.Participant.ask")
    assert not resolves("gateway.core.participant.Participant.asks")
    assert not resolves("gateway.core.participants")


def test_every_decision_is_in_their_list() -> None:
    decisions = {path.name for path in (ROOT / "docs/adr").glob("[0-9]*.md")}
    listed = re.findall(r"^- \[(\d{4})\]\((\1-[\w-]+\.md)\)", (ROOT / "docs/adr/README.md").read_text(), re.MULTILINE)
    assert {name for _, name in listed} == decisions


def test_every_thread_of_a_vehicle_stands_in_the_architecture() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    sources = [path.read_text() for package in ("gateway", "voice", "hw") for path in (ROOT / package).rglob("*.py")]
    threads = [name for source in sources for name in re.findall(r'Thread\(.*name="([\w-]+)"', source)]
    assert len(threads) >= 6
    assert [name for name in threads if f"`{name}`" not in text] == []


def test_both_readmes_name_the_same_documents_and_commands_and_have_the_same_tables() -> None:
    def shape(name: str) -> tuple[list[str], list[str], list[int]]:
        text = (ROOT / name).read_text()
        links = re.findall(r"\]\(((?:docs/|CHANGELOG|LICENSE)[\w/.-]*)\)", text)
        commands = re.findall(r"^(?:sudo |make |ptt-gateway )[a-z -]+", text, re.MULTILINE)
        tables = [len(table.splitlines()) for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)]
        return sorted(links), commands, tables

    english, korean = shape("README.md"), shape("README.ko.md")
    assert all(english)
    assert korean == english


def test_every_alert_stands_in_the_documents() -> None:
    from dispatch.core.trouble import FOREIGN, STORE
    from gateway.core.alerts import KNOWN

    for document in ("docs/protocol.md", "docs/operations.md"):
        text = (ROOT / document).read_text()
        assert [alert for alert in (*KNOWN, FOREIGN, STORE) if f"`{alert}`" not in text] == []
    rows = re.findall(r"^\|([^|]+)\| (?:critical|warning) \|", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    assert {*KNOWN, FOREIGN, STORE} - set(re.findall(r"`([a-z-]+)`", " ".join(rows))) == set()


def test_every_command_and_decision_stands_in_the_documents() -> None:
    operations = (ROOT / "docs/operations.md").read_text()
    for package in ("gateway", "dispatch", "lab"):
        source = (ROOT / package / "cli.py").read_text()
        commands = re.findall(r"(?:add_parser|command|pins)\(\s*\"([a-z-]+)\"", source)
        assert commands
        assert [name for name in commands if f"{name}`" not in operations and f" {name} " not in operations] == []
    listed = (ROOT / "docs/adr/README.md").read_text()
    assert [path.name for path in (ROOT / "docs/adr").glob("0*.md") if path.name not in listed] == []


def commands_of(parser: argparse.ArgumentParser, *before: str) -> set[tuple[str, ...]]:
    """Every command that a parser knows, those of a group as two words; a bare group is none."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    below = {
        found for group in groups for name, made in group.choices.items() for found in commands_of(made, *before, name)
    }
    runs = before and not any(group.required for group in groups)
    return below | ({before} if runs else set())


def listed_commands(document: Path, program: str) -> set[tuple[str, ...]]:
    """Those that rows of a document's tables begin with: `ptt-dispatch user list`, `show USER` are two of one group."""
    found: set[tuple[str, ...]] = set()
    for cell in re.findall(rf"^\| (`{program} [^|]*)\|", document.read_text(), re.MULTILINE):
        spans = [span.split() for span in re.findall(r"`([^`]+)`", cell)]
        group = spans[0][1]
        for words in (spans[0][1:], *spans[1:]):
            found |= {tuple(words[:1]), tuple(words[:2]), (group, words[0])}
    return found


@pytest.mark.parametrize(("program", "cli"), [("ptt-dispatch", "dispatch.cli"), ("ptt-gateway", "gateway.cli")])
def test_every_command_of_ours_has_a_row_in_operations(program: str, cli: str) -> None:
    known = commands_of(importlib.import_module(cli)._parser())
    assert len(known) > 8
    assert sorted(known - listed_commands(ROOT / "docs/operations.md", program)) == []


def test_every_process_that_systemd_starts_stands_in_the_architecture() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    units = "".join(path.read_text() for path in (ROOT / "systemd").glob("*.service"))
    started = set(re.findall(r"^ExecStart=\S*/(ptt-(?:dispatch|gateway) [a-z-]+|ptt-shutdown)", units, re.MULTILINE))
    assert len(started) >= 8
    assert sorted(one for one in started if not re.search(rf"^\| `{one}[` ]", text, re.MULTILINE)) == []


def test_the_offices_limits_are_those_of_the_code() -> None:
    from dispatch.broker.conf import BOUNDS, WEBSOCKETS_MAX
    from dispatch.core.office import MEMBERS_MAX
    from dispatch.registry.users import OFFICES_MAX, REGIONS_MAX, USERS_MAX
    from dispatch.rest.http import CONNECTIONS_MAX
    from dispatch.traces.book import WAITING_MAX, WAITING_OF_ONE_MAX
    from dispatch.web.app import OWN_STREAMS_MAX, STREAMS_MAX
    from dispatch.web.sessions import OWN_MAX, SESSIONS_MAX

    text = (ROOT / "docs/operations.md").read_text()
    limits = text.partition("\n## Limits\n")[2].partition("\n## ")[0]
    (connections,) = re.findall(r"^max_connections (\d+)$", BOUNDS, re.MULTILINE)
    for bound in (
        f"at most {MEMBERS_MAX:,} |",
        f"revoked ones too | {USERS_MAX:,} |",
        f"regions | {OFFICES_MAX}; {REGIONS_MAX} |",
        f"broker configuration | {connections} (2 a vehicle) |",
        f"connections of browsers there, beside those | {WEBSOCKETS_MAX} (2 a console) |",
        f"each | {CONNECTIONS_MAX} |",
        f"follow what is now | {STREAMS_MAX}, {OWN_STREAMS_MAX} of one user |",
        f"sign-ins to the dashboard | {SESSIONS_MAX:,}, {OWN_MAX} of one user |",
        f"wait for the store | {WAITING_MAX:,}, {WAITING_OF_ONE_MAX} of one member;",
    ):
        assert bound in limits
