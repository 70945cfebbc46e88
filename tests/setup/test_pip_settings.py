# SPDX-License-Identifier: MIT
"""uv is told what pip is set to, and left out where that cannot be said to it."""

from __future__ import annotations

import runpy

import pytest

from tests.setup.locks import ROOT

SCRIPT = runpy.run_path(str(ROOT / ".ci/install.py"))


@pytest.fixture(autouse=True)
def _nothing_set_here(monkeypatch, tmp_path):
    for name in (
        "PIP_CERT",
        "PIP_DEFAULT_TIMEOUT",
        "PIP_FIND_LINKS",
        "PIP_INDEX_URL",
        "PIP_QUIET",
        "REQUESTS_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("SSL_CERT_FILE", "UV_DEFAULT_INDEX", "UV_FIND_LINKS", "UV_HTTP_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    # What this machine's own files say stands in [global]; [install] goes before it.
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))


def told(settings: dict[str, str] | None = None) -> dict[str, str] | None:
    """What uv is told of these settings, or of those that pip has."""
    return SCRIPT["environment_for_uv"](SCRIPT["settings_of_pip"]() if settings is None else settings)


def test_a_mirror_in_a_file_is_told_and_the_environment_goes_before_it(monkeypatch, tmp_path):
    (tmp_path / "pip.conf").write_text("[install]\nindex-url = http://mirror.example/simple\ncert = /etc/ca.pem\n")
    assert (told()["UV_DEFAULT_INDEX"], told()["SSL_CERT_FILE"]) == ("http://mirror.example/simple", "/etc/ca.pem")
    monkeypatch.setenv("PIP_INDEX_URL", "http://other.example/simple")
    assert told()["UV_DEFAULT_INDEX"] == "http://other.example/simple"


@pytest.mark.parametrize("quiet", ["1", "3"])
def test_a_pip_that_is_set_to_say_nothing_tells_its_settings(monkeypatch, tmp_path, quiet):
    (tmp_path / "pip.conf").write_text(f"[install]\nindex-url = http://mirror.example/simple\nquiet = {quiet}\n")
    assert told()["UV_DEFAULT_INDEX"] == "http://mirror.example/simple"
    monkeypatch.setenv("PIP_QUIET", quiet)
    assert told()["UV_DEFAULT_INDEX"] == "http://mirror.example/simple"


def test_an_empty_setting_is_none(monkeypatch, tmp_path):
    (tmp_path / "pip.conf").write_text("[install]\nindex-url = http://mirror.example/simple\nproxy =\n")
    for name in ("INDEX_URL", "EXTRA_INDEX_URL", "TARGET", "PREFIX", "ROOT"):
        monkeypatch.setenv(f"PIP_{name}", "")
    assert SCRIPT["settings_of_pip"]().keys().isdisjoint(SCRIPT["ELSEWHERE"])
    assert told()["UV_DEFAULT_INDEX"] == "http://mirror.example/simple"


@pytest.mark.parametrize("other", ["http://other.example/simple", ""])
def test_with_files_that_say_different_of_one_setting_pip_does_it(other):
    """Newer releases of pip list what each file says; which one counts is not to be seen."""
    listed = f"global.index-url='http://mirror.example/simple'\nglobal.index-url='{other}'\n"
    assert told(SCRIPT["settings_listed"](listed)) is None
    decided = SCRIPT["settings_listed"](f"{listed}:env:.index-url='http://own.example/simple'\n")
    assert told(decided)["UV_DEFAULT_INDEX"] == "http://own.example/simple"


def test_files_that_say_the_same_are_one():
    listed = "global.timeout='7'\nglobal.timeout='7'\nglobal.cache-dir='/a'\nglobal.cache-dir='/b'\n"
    assert told(SCRIPT["settings_listed"](listed))["UV_HTTP_TIMEOUT"] == "7"


def test_the_section_of_install_goes_before_the_global_one(tmp_path):
    (tmp_path / "pip.conf").write_text("[install]\ntimeout = 7\n[global]\ntimeout = 9\n[freeze]\ntimeout = 1\n")
    assert told()["UV_HTTP_TIMEOUT"] == "7"


def test_folders_of_wheels_are_separated_by_commas_and_those_that_are_not_there_left_out(tmp_path):
    assert (
        told({"find-links": f"{tmp_path} /not/there http://mirror.example/wheels"})["UV_FIND_LINKS"]
        == f"{tmp_path},http://mirror.example/wheels"
    )


def test_what_says_nothing_about_files_is_no_reason_against_uv():
    assert told({"no-cache-dir": "1", "disable-pip-version-check": "1", "quiet": "1", "user": "1"}) is not None


def test_what_uv_is_set_to_itself_stays(monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://mirror.example/simple")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://own.example/simple")
    assert told()["UV_DEFAULT_INDEX"] == "http://own.example/simple"


def test_a_bundle_of_certificates_that_pip_obeys_is_told(monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ca.pem")
    assert told({})["SSL_CERT_FILE"] == "/etc/ca.pem"
    assert told({"cert": "/etc/other.pem"})["SSL_CERT_FILE"] == "/etc/other.pem"


@pytest.mark.parametrize("setting", ["proxy", "extra-index-url", "trusted-host", "client-cert", "no-index", "whatever"])
def test_with_any_other_setting_pip_does_it(setting):
    assert told({setting: "x"}) is None
