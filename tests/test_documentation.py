"""The documentation builds without warnings and without a network, and what it names exists."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import bmi_tables
import cli_options
import configuration_keys
import page
import pytest
import short_runs
import snippets
import yaml
from click.testing import CliRunner

from bmi_common.errors import ConfigError
from bmi_common.grids import POINTS, ROOT_ZONE, SCALAR, SUBSURFACE, SURFACE, WELLS
from coupler.config import RunConfig
from rootzone.bmi_run import main as bmi_run

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
TEXTS = [ROOT / "README.md", *PAGES]

LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE_SPAN = re.compile(r"`([^`\n]+)`")
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
OWN_FILE = re.compile(r"\b((?:cfg|benchmarks|docs|tests|tools|bmi_\w+|coupler|rootzone)/[\w./-]*\w/?)")
GENERATED = [
    ("variables.md", "bmi_tables.py", bmi_tables.text),
    ("cli.md", "cli_options.py", cli_options.text),
    ("configuration.md", "configuration_keys.py", configuration_keys.text),
]

pages = pytest.mark.parametrize("text", TEXTS, ids=lambda p: p.name)


# ---------------------------------------------------------------------- what the pages name


@pages
def test_relative_links_lead_somewhere(text: Path) -> None:
    missing = []
    for target in LINK.findall(text.read_text(encoding="utf-8")):
        file = urldefrag(target).url
        if file and "://" not in target and not (text.parent / unquote(file)).exists():
            missing.append(target)
    assert not missing


@pages
def test_files_of_the_repository_that_are_named_exist(text: Path) -> None:
    named = OWN_FILE.findall(text.read_text(encoding="utf-8"))
    missing = [name for name in dict.fromkeys(named) if not (ROOT / name).exists()]
    assert not missing


@pages
def test_long_options_that_are_named_exist(text: Path) -> None:
    known = {
        option
        for command in cli_options.commands().values()
        for parameter in command.params
        for option in parameter.opts
    } | {"--help"}
    missing = []
    for line in _commands_in(text.read_text(encoding="utf-8")):
        missing += [o for o in re.findall(r"(?<!\S)--[a-z][a-z-]*", line) if o not in known]
    assert not missing


def _commands_in(text: str) -> list[str]:
    """Lines of code and code spans that call one of the package's commands."""
    names = tuple(cli_options.commands())
    spans = CODE_SPAN.findall(BLOCK.sub("", text))
    lines = [line.strip() for line in text.splitlines()]
    calls = [c.split("#")[0] for c in (*spans, *lines) if c.startswith(names)]
    return [c for c in calls if "`" not in c]


def test_options_are_looked_for_in_commands() -> None:
    assert any("--restart" in line for line in _commands_in((ROOT / "README.md").read_text(encoding="utf-8")))


SCRIPT = re.compile(r"(?:python|torchrun \S+) ((?:benchmarks|cfg/demo)/\w+\.py)([^`\n]*)")


@pages
def test_options_of_scripts_that_are_named_exist(text: Path) -> None:
    missing = []
    for script, arguments in SCRIPT.findall(text.read_text(encoding="utf-8")):
        source = (ROOT / script).read_text(encoding="utf-8")
        missing += [(script, o) for o in re.findall(r"(?<!\S)\[?(--[a-z][a-z-]*)", arguments) if f'"{o}"' not in source]
    assert not missing


# ---------------------------------------------------------------------- what the pages show

SNIPPETS = [s for text in TEXTS for s in snippets.snippets(text)]


def of(*languages: str) -> pytest.MarkDecorator:
    """Each piece in one of these languages that does not say why it cannot be tried."""
    found = [s for s in SNIPPETS if s.language in languages and s.marker != "not run"]
    return pytest.mark.parametrize("snippet", found, ids=str)


def test_pieces_that_are_not_tried_say_why() -> None:
    for snippet in SNIPPETS:
        assert snippet.marker in ("", "not run", "needs", "excerpt"), snippet
        assert bool(snippet.marker) == bool(snippet.reason), snippet


def periods_for(text: str) -> dict[str, tuple[str, str]]:
    """Let the demo's runs begin six hours, or a checkpoint, before the end that a piece of code gives them."""
    ends = re.findall(r'"time\.end": "(\d{4}-\d\d-\d\d)"', text)
    if not ends:
        return {}
    end = datetime.fromisoformat(min(ends))
    start = end - timedelta(hours=24 if "checkpoint.every" in text else 6)
    return short_runs.demo(f"{start:%Y-%m-%dT%H:%M}", f"{end:%Y-%m-%dT%H:%M}")


@of("python")
def test_pieces_of_python_run_as_they_stand(snippet, tmp_path, monkeypatch) -> None:
    if snippet.marker == "excerpt":
        whole = (ROOT / snippet.reason).read_text(encoding="utf-8").splitlines()
        assert [line for line in snippet.text.splitlines() if line.strip() != "...," and line not in whole] == []
        return
    if snippet.marker == "needs":
        pytest.importorskip(snippet.reason, reason=f"{snippet.reason} is not installed")
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    short_runs.copy_cases(tmp_path, periods_for(snippet.text))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.syspath_prepend(DOCS / "examples")
    if "pymt" in snippet.text and importlib.util.find_spec("pymt") is None:
        pytest.importorskip("model_metadata", reason="model_metadata is not installed")
        import pymt_stand_in

        for name, module in pymt_stand_in.modules().items():
            monkeypatch.setitem(sys.modules, name, module)
    exec(compile(snippet.text, str(snippet), "exec"), {"__name__": "__main__"})


@of("yaml")
def test_pieces_of_yaml_are_what_their_files_may_say(snippet, tmp_path) -> None:
    for piece in snippets.alternatives(snippet.text):
        snippets.validate(piece, tmp_path)


@of("json")
def test_pieces_of_json_can_be_read(snippet) -> None:
    json.loads(snippet.text)


@pages
def test_calls_of_commands_are_understood(text: Path) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    known = cli_options.commands()
    for name, arguments in snippets.commands(text):
        if name == "make":
            assert set(arguments) <= set(targets), arguments
        elif name == "pytest":
            declared = (ROOT / "bmi_conformance/plugin.py").read_text(encoding="utf-8")
            own = [a.partition("=")[0] for a in arguments if a.startswith("--bmi")]
            assert [a for a in own if f'"{a}"' not in declared] == []
        else:
            command = known[name]
            parser = command.make_parser(command.make_context(name, [], resilient_parsing=True))
            options, rest, _ = parser.parse_args(list(arguments))  # raises what a user would be told
            takes = [p for p in command.params if p.param_type_name == "argument"]
            assert len(rest) <= len(takes) or any(p.nargs == -1 for p in takes), arguments
            for key in (s.partition("=")[0] for s in options.get("settings") or ()):
                first = key.split(".")[0]
                assert first in {*RunConfig.model_fields, "land", "groundwater", "data"}, key


def test_a_piece_that_does_not_hold_is_found(tmp_path: Path) -> None:
    for wrong, words in {
        "components: {land: {clas: a}}": "clas",
        "richards: {mode: upside_down}": "upside_down",
        "wibble: 1": "no kind of file",
    }.items():
        with pytest.raises((ConfigError, AssertionError), match=words):
            snippets.validate(yaml.safe_load(wrong), tmp_path)


@pytest.mark.slow
def test_the_files_of_the_page_on_own_domains_run(tmp_path: Path) -> None:
    blocks = YAML.findall((DOCS / "own_domain.md").read_text(encoding="utf-8"))
    for name, block in zip(("domain.yaml", "land.yaml", "groundwater.yaml"), blocks, strict=True):
        (tmp_path / name).write_text(block, encoding="utf-8")
    for name, copied in (("domain.nc", "basin.nc"), ("weather.nc", "weather.nc")):
        shutil.copy(ROOT / "cfg" / "demo" / name, tmp_path / copied)
    run = (ROOT / "cfg" / "coupled-richards.yaml").read_text(encoding="utf-8").replace("demo/", "")
    (tmp_path / "coupled.yaml").write_text(run, encoding="utf-8")
    arguments = ["--set", "time.end=2019-10-01T03:00", "--set", "figures=false", "--output", str(tmp_path / "run")]
    result = CliRunner().invoke(bmi_run, [str(tmp_path / "coupled.yaml"), *arguments])
    assert result.exit_code == 0, result.output


# ---------------------------------------------------------------------- generated pages


@pytest.mark.parametrize(("name", "tool", "text"), GENERATED, ids=[g[0] for g in GENERATED])
def test_generated_pages_are_those_of_the_code(name, tool, text) -> None:
    committed = (DOCS / name).read_text(encoding="utf-8")
    assert committed == page.marked(tool, text()), f"run: python tools/{tool}"


@pytest.mark.parametrize(
    ("title", "component"),
    [("Land", c) for c in bmi_tables.LAND] + [("Groundwater", c) for c in bmi_tables.GROUNDWATER],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_every_bmi_variable_has_its_row(title, component) -> None:
    lines = page.section(bmi_tables.text(), title).splitlines()
    rows = [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| `")]
    bmi = component()
    inputs = bmi.get_input_var_names()
    own = {row[0]: row for row in rows if row[-1] == "all" or f"`{component.__name__}`" in f"`{row[-1]}`"}
    assert set(own) == {*inputs, *bmi.get_output_var_names()}
    for name, row in own.items():
        _, units, _, role, _, _, description, _ = row
        assert units == bmi.get_var_units(name)
        assert (role in ("input", "forcing")) == (name in inputs)
        assert description, f"{name} has no description"


def test_every_grid_is_explained() -> None:
    assert set(bmi_tables.GRIDS) == {SURFACE, SUBSURFACE, ROOT_ZONE, SCALAR, POINTS, WELLS}


def test_every_key_of_the_configuration_has_a_meaning_and_no_other_has() -> None:
    assert {k.path for k in configuration_keys.all_keys()} == set(configuration_keys.MEANINGS)


# ---------------------------------------------------------------------- the site


class _Loaded(HTMLParser):
    """Collects what a browser would load to show the page."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in ("script", "img", "iframe", "source", "video", "audio", "embed"):
            self.urls.append(found.get("src") or "")
        if tag == "link" and found.get("rel") not in ("canonical", "prev", "next"):
            self.urls.append(found.get("href") or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None:
        pytest.skip("mkdocs and mkdocs-material are not installed (pip install 'rootzone[docs]')")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_every_page_is_in_the_site(site: Path) -> None:
    assert {p.stem for p in PAGES} <= {p.stem for p in site.glob("*.html")}


@pytest.mark.slow
def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for file in site.rglob("*.html"):
        loaded = _Loaded()
        loaded.feed(file.read_text(encoding="utf-8"))
        assert loaded.urls
        assert not [u for u in loaded.urls if "//" in u], file.name
    for file in site.rglob("*.css"):
        assert not re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", file.read_text(encoding="utf-8")), file.name
