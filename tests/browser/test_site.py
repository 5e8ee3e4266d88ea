"""The files of a site, and of the package in it."""

import base64
import hashlib
import importlib.util
import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest

import inkwise
from inkwise.browser.site import ENGINE, write_site
from inkwise.errors import ArgumentError, LibraryError
from tests.models import small

WEB = Path(__file__).parents[2] / "web"


def test_all_addresses_are_relative_and_lead_to_files(site: Path) -> None:
    page = (site / "index.html").read_text("utf-8")
    manifest = json.loads((site / "manifest.webmanifest").read_bytes())
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    links += [manifest["start_url"], *(icon["src"] for icon in manifest["icons"])]
    assert len(links) > 10
    for link in links:
        assert not re.match(r"/|\w+:", link), link
        assert (site / link).exists(), link
    for script in {*site.rglob("*.js")} - {*site.rglob("ort.*.js")}:
        code = script.read_text("utf-8")
        for link in re.findall(r'(?:from|import|import\()\s*"([^"]*)"', code):
            assert link.startswith("."), (script, link)
            assert (script.parent / link).is_file(), (script, link)
        assert "http" not in re.sub(r"//.*|/\*.*?\*/", "", code, flags=re.DOTALL), script


def test_whatever_the_page_needs_is_kept_with_its_hash(site: Path) -> None:
    code = (site / "offline.js").read_text("utf-8")
    found = re.search(r"const FILES = (\{.*\});", code)
    assert found
    files = json.loads(found.group(1))
    assert files.pop("")
    for name, expected in files.items():
        content = (site / ("index.html" if name == "./" else name)).read_bytes()
        assert base64.b64encode(hashlib.sha256(content).digest()).decode() == expected
    everything = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    left_out = everything - set(files)
    assert {name for name in left_out if not name.startswith("package/")} == {
        *("index.html", "offline.js", ".nojekyll"),
    }
    assert [name for name in left_out if name.endswith((".js", ".gz"))] == ["offline.js"]


def test_files_have_endings_that_every_host_knows_or_that_do_not_matter(site: Path) -> None:
    endings = {path.suffix for path in site.rglob("*") if path.is_file()}
    # Without its type a browser shows no page, runs no script and applies no style sheet.
    known = {".html", ".js", ".css", ".svg", ".png"}
    no_matter = {".json", ".webmanifest", ".gz", ".ts", ".md", ".txt", ""}
    assert endings <= known | no_matter


def test_the_package_is_one_of_npm_with_its_licences(site: Path) -> None:
    package = site / "package"
    document = json.loads((package / "package.json").read_bytes())
    assert document["version"] == inkwise.__version__
    for name in document["exports"]["."].values():
        assert (package / name).is_file()
    for name in ("LICENSE", "runtime/LICENSE", "runtime/ThirdPartyNotices.txt", "README.md"):
        assert (package / name).stat().st_size > 500


def test_the_engine_s_licence_is_the_project_s() -> None:
    assert (ENGINE / "LICENSE").read_bytes() == (WEB.parent / "LICENSE").read_bytes()


def test_an_earlier_site_is_replaced_and_other_files_stay(site: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(site, tmp_path / "site"))
    (folder / "CNAME").write_text("digits.example.org")
    write_site(small(), folder)
    assert (folder / "CNAME").is_file()
    described = json.loads((folder / "package/model/model.json").read_bytes())
    assert described["class_names"] == list(small().class_names)


def test_a_folder_of_something_else_is_left_alone(site: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ArgumentError, match="holds files already, and no earlier page"):
        write_site(small(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_without_the_runtime_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "inkwise_web" else find(name)
    )
    with pytest.raises(LibraryError, match=r"pip install 'inkwise\[web\]'"):
        write_site(small(), tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_the_runtime_s_package_has_npm_s_version() -> None:
    lock = json.loads((WEB / "package-lock.json").read_bytes())
    version = lock["packages"]["node_modules/onnxruntime-web"]["version"]
    asked = json.loads((WEB / "package.json").read_bytes())["dependencies"]["onnxruntime-web"]
    project = tomllib.loads((WEB / "pyproject.toml").read_text("utf-8"))["project"]
    assert version == asked == project["version"]
    with_hashes = [each for name, each in lock["packages"].items() if name]
    assert all(each["integrity"].startswith("sha512-") for each in with_hashes)
