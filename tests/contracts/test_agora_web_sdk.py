"""The console's calls of Agora's Web SDK against the package's own types, and on a stand-in held to them. No cloud."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from dispatch.web.agora_sdk import PACKAGE, VERSION
from tests.support.npm import MODULES, SDK
from tests.support.procs import ROOT

CONSOLE = ROOT / "dispatch" / "web" / "static" / "console"
TESTS = ROOT / "tests" / "console_js"
TSC = MODULES / "typescript" / "bin" / "tsc"
OPTIONS = {
    "checkJs": True,
    "allowJs": True,
    "noEmit": True,
    "strict": True,
    "target": "es2022",
    "module": "esnext",
    "moduleResolution": "bundler",
    "lib": ["es2022", "dom"],
    "types": [],
    "skipLibCheck": True,
    "paths": {PACKAGE: [str(SDK / "rtc-sdk_en.d.ts")]},
}


def complaints(folder: Path, *files: Path) -> str:
    """What tsc says of these files; empty: nothing."""
    project = folder / "tsconfig.json"
    project.write_text(json.dumps({"compilerOptions": OPTIONS, "files": [str(file) for file in files]}))
    done = subprocess.run(["node", str(TSC), "-p", str(project)], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def test_every_call_and_the_stand_in_fit_the_types_of_the_package(tmp_path: Path) -> None:
    assert json.loads((SDK / "package.json").read_text())["version"] == VERSION

    assert complaints(tmp_path, CONSOLE / "agora.js", TESTS / "agora_fake.mjs") == ""


def test_calls_that_the_package_does_not_have_are_found(tmp_path: Path) -> None:
    wrong = {
        'codec: "vp8"': 'codec: "opus"',
        '.on("user-published", (_user, kind)': '.on("user-published", (_user, kind, none, more)',
        "client.renewToken(token.token)": "client.renewtoken(token.token)",
        "mediaStreamTrack: this.voice": "mediaStreamTrack: this.why",
    }
    copy = tmp_path / "console"
    shutil.copytree(CONSOLE, copy, ignore=shutil.ignore_patterns("*.css"))
    source = (copy / "agora-channel.js").read_text()
    places = [source[: source.index(right)].count("\n") + 1 for right in wrong]
    for right, put in wrong.items():
        source = source.replace(right, put)
    (copy / "agora-channel.js").write_text(source)

    found = complaints(tmp_path, copy / "agora.js")

    assert [f"agora-channel.js({place}," in found for place in places] == [True] * len(wrong)
