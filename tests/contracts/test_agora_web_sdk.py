"""The console held to its types by tsc, and its calls of Agora's Web SDK to the package's own. No cloud."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from dispatch.web.agora_sdk import PACKAGE, VERSION
from tests.support.npm import MODULES, SDK
from tests.support.procs import ROOT

STATIC = ROOT / "dispatch" / "web" / "static"
CONSOLE = STATIC / "console"
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


WORKLET = """
declare class AudioWorkletProcessor { readonly port: MessagePort; }
declare const sampleRate: number;
declare const currentFrame: number;
declare const currentTime: number;
declare function registerProcessor(name: string, made: new () => AudioWorkletProcessor): void;
"""
"""What there is on the audio thread beside the page's own names (Web Audio API, AudioWorkletGlobalScope)."""
VENDOR = "declare const made: any;\nexport default made;\nexport const connect: any;\n"
"""What others wrote is not checked here."""


def complaints(folder: Path, *files: Path, **more: bool) -> str:
    """What tsc says of these files, under `more` options; empty: nothing."""
    project = folder / "tsconfig.json"
    project.write_text(json.dumps({"compilerOptions": OPTIONS | more, "files": [str(file) for file in files]}))
    done = subprocess.run(["node", str(TSC), "-p", str(project)], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def test_every_call_and_the_stand_in_fit_the_types_of_the_package(tmp_path: Path) -> None:
    assert json.loads((SDK / "package.json").read_text())["version"] == VERSION

    assert complaints(tmp_path, CONSOLE / "agora.js", TESTS / "agora_fake.mjs") == ""


@pytest.fixture
def whole(tmp_path: Path) -> list[Path]:
    """A copy of all modules of the console, and of what they import."""
    static = tmp_path / "static"
    shutil.copytree(STATIC, static, ignore=shutil.ignore_patterns("*.css", "vendor"))
    (static / "vendor").mkdir()
    for script in (STATIC / "vendor").glob("*.js"):
        (static / "vendor" / script.name).with_suffix(".d.ts").write_text(VENDOR)
    (static / "worklet.d.ts").write_text(WORKLET)
    return [static / "worklet.d.ts", *sorted((static / "console").glob("*.js"))]


def test_every_module_of_the_console_fits_the_types_it_says(tmp_path: Path, whole: list[Path]) -> None:
    assert complaints(tmp_path, *whole, noImplicitAny=False) == ""


def test_what_no_module_has_and_what_may_be_missing_is_found_in_any_of_them(tmp_path: Path, whole: list[Path]) -> None:
    wrong = {
        "heard.js": ("joining?.eventId", "joining.eventId"),
        "member.js": ("this.listening.announced(null, 0, this.now())", "this.listening.announces(null, 0, this.now())"),
        "speaker-worklet.js": ("currentTime + done / sampleRate", "currentTimes + done / sampleRate"),
    }
    for file in whole:
        right, put = wrong.get(file.name, ("", ""))
        file.write_text(file.read_text().replace(right, put) if right else file.read_text())

    found = complaints(tmp_path, *whole, noImplicitAny=False)

    assert {name for name in wrong if f"{name}(" in found} == set(wrong)


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
