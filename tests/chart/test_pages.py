# SPDX-License-Identifier: MIT
"""What a release publishes on GitHub Pages: its steps, run as they stand in the workflow, on a branch of our own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.chart.helm import CHART, NAME, ROOT, run

JOBS = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))["jobs"]
CHARTS = "https://linuxfoundation.github.io/lfx-v2-auth-service"


class Releases:
    """Releases one after the other, into a repository that takes the place of the one on GitHub."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.remote = folder, folder / "remote.git"
        self.git("init", "--quiet", "--bare", str(self.remote))

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.folder, capture_output=True, text=True, check=True)
        return done.stdout

    def release(self, version: str, page: str) -> None:
        """Publish a chart of that version, and a site of that one page."""
        build = self.folder / version / "build"
        (build / "site" / page).mkdir(parents=True)
        (build / "site" / page / "index.html").write_text(version, encoding="utf-8")
        (build / "tools").symlink_to(ROOT / "build/tools")
        package = ("--version", version, "--app-version", version, "--destination", str(build / "chart"))
        assert run("helm", "package", str(CHART), *package).returncode == 0
        (build / "chart" / f"{NAME}-{version}.tgz.sigstore.json").write_text("{}", encoding="utf-8")
        for job in ("chart", "site"):
            self._publish(job, version)
            # Each job has a machine of its own.
            (build / "pages").rename(build / f"pages-of-{job}")

    def _publish(self, job: str, version: str) -> None:
        step = next(step for step in JOBS[job]["steps"] if step.get("name", "").startswith("Publish on GitHub Pages"))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TOKEN": "t0ken",
            "GITHUB_REPOSITORY": "owner/name",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.file://{self.remote}.insteadOf",
            "GIT_CONFIG_VALUE_0": "https://x-access-token:t0ken@github.com/owner/name.git",
            **{name: value for name, value in JOBS[job]["env"].items() if "${{" not in value},
            "VERSION": version,
        }
        script = ["bash", "-c", step["run"]]
        subprocess.run(script, cwd=self.folder / version, env=environment, check=True, timeout=120)

    def published(self) -> set[str]:
        """Return the paths of what is on the branch."""
        return set(self.git("-C", str(self.remote), "ls-tree", "-r", "--name-only", "gh-pages").split())

    def read(self, path: str) -> str:
        return self.git("-C", str(self.remote), "show", f"gh-pages:{path}")


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    releases = Releases(tmp_path_factory.mktemp("releases"))
    releases.release("1.0.0", "before")
    releases.release("1.1.0", "after")
    return releases


def test_the_charts_of_all_releases_stand_beside_the_site_of_the_newest(releases: Releases) -> None:
    assert releases.published() == {
        ".nojekyll",
        "docs/after/index.html",
        "index.yaml",
        "lfx-v2-auth-service-1.0.0.tgz",
        "lfx-v2-auth-service-1.0.0.tgz.sigstore.json",
        "lfx-v2-auth-service-1.1.0.tgz",
        "lfx-v2-auth-service-1.1.0.tgz.sigstore.json",
    }
    assert releases.read("docs/after/index.html") == "1.1.0"


def test_the_index_leads_to_every_chart(releases: Releases) -> None:
    entries = yaml.safe_load(releases.read("index.yaml"))["entries"]["lfx-v2-auth-service"]
    assert {entry["version"]: entry["urls"] for entry in entries} == {
        "1.0.0": [f"{CHARTS}/lfx-v2-auth-service-1.0.0.tgz"],
        "1.1.0": [f"{CHARTS}/lfx-v2-auth-service-1.1.0.tgz"],
    }
