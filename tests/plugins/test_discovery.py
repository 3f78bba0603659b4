"""Which plugins are found, which are imported, and how the others are told of."""

from __future__ import annotations

import os

import pytest

from tests.support.distributions import Site

GOOD = """
    import rrq

    @rrq.hookimpl
    def rrq_route(job, executors):
        return None
"""


def test_an_installed_plugin_is_active_at_once(site: Site) -> None:
    site.install("rrq-good", GOOD, version="2.5")

    good = site.listed()["good"]

    assert good["status"] == "active"
    assert (good["distribution"], good["version"]) == ("rrq-good", "2.5")
    assert good["description"] == "The distribution rrq-good"
    assert good["routing"] is True
    assert good["telemetry"] is good["lifecycle"] is good["checks"] is False


def test_a_plugin_may_be_an_object_in_a_module(site: Site) -> None:
    site.install(
        "rrq-object",
        """
        import rrq

        class Router:
            @rrq.hookimpl
            def rrq_route(self, job):
                return None

        plugin = Router()
        """,
        module="rrq_object:plugin",
    )

    assert site.listed()["object"]["status"] == "active"


def test_a_plugin_that_replaces_another_in_the_same_second_is_seen(site: Site) -> None:
    site.install("rrq-good", GOOD)
    entry_points = site.path / "rrq_good-1.0.dist-info" / "entry_points.txt"
    times = entry_points.stat()
    assert "good" in site.listed()

    entry_points.write_text("[rrq.plugins]\nbetter = rrq_good\n")
    os.utime(entry_points, ns=(times.st_atime_ns, times.st_mtime_ns))

    listed = site.listed()
    assert "better" in listed
    assert "good" not in listed


def test_no_cache_is_written_at_home(site: Site) -> None:
    site.install("rrq-good", GOOD)

    assert site.listed()["good"]["status"] == "active"

    assert list(site.home.iterdir()) == []


def test_a_home_that_cannot_be_written_is_not_worth_a_word(site: Site) -> None:
    site.install("rrq-good", GOOD)

    ran = site.rrq("plugins", "show", "good", HOME="/dev/null/home")

    assert ran.returncode == 0
    assert "/dev/null" not in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "cache" not in ran.stderr.lower()


def test_a_disabled_plugin_is_listed_but_not_imported(site: Site) -> None:
    site.install("rrq-noisy", f"print('imported')\n{GOOD}".replace("\n    ", "\n"))
    assert "imported" in site.rrq("plugins", "list").stderr

    ran = site.rrq("plugins", "list", RRQ_DISABLED_PLUGINS="noisy")

    assert "imported" not in ran.stderr
    assert "noisy\t1.0\trrq-noisy\t-\tdisabled" in ran.stdout


def test_the_configuration_file_disables_a_plugin_too(site: Site) -> None:
    site.install("rrq-good", GOOD)
    (site.work / "other.toml").write_text('[rrq.plugins]\ndisabled = ["good"]\n')

    assert site.plugin("good")["status"] == "active"
    assert site.plugin("good", "--config", "other.toml")["status"] == "disabled"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import a_library_that_is_not_there", "No module named 'a_library_that_is_not_there'"),
        ("raise SystemExit('no licence')", "SystemExit: no licence"),
        ("assert False, 'not on this machine'", "AssertionError: not on this machine"),
        ("x = 1", "it implements no hook"),
        (
            """
            import rrq

            @rrq.hookimpl
            def rrq_route(job, executor):
                return None
            """,
            "executor",
        ),
        (
            """
            import rrq

            @rrq.hookimpl
            def rrq_transport():
                return {}
            """,
            'RRQ has no hook rrq_transport. Did you mean "rrq_transports"?',
        ),
        (
            """
            def rrq_route(job):
                return None
            """,
            "rrq_route lacks the mark @rrq.hookimpl",
        ),
        (
            """
            import rrq

            @rrq.hookimpl(wrapper=True)
            def rrq_route():
                return (yield)
            """,
            "rrq_route is a wrapper",
        ),
    ],
    ids=[
        "missing library",
        "exit",
        "assertion",
        "no hook",
        "wrong argument",
        "unknown hook",
        "no mark",
        "wrapper",
    ],
)
def test_a_plugin_that_cannot_work_is_left_out_with_its_reason_and_one_warning(
    site: Site, source: str, reason: str
) -> None:
    site.install("rrq-bad", source, version="3.1")
    site.install("rrq-good", GOOD)

    ran = site.rrq("plugins", "list")

    rows = {line.split("\t")[0]: line for line in ran.stdout.splitlines()}
    assert ran.returncode == 0
    assert "\tfailed: " in rows["bad"]
    assert reason in rows["bad"]
    assert rows["good"].endswith("\tactive")
    warnings = [line for line in ran.stderr.splitlines() if "rrq-bad" in line]
    assert len(warnings) == 1
    assert "Plugin bad (rrq-bad 3.1)" in warnings[0]
    assert reason in warnings[0]


def test_two_plugins_of_one_name_are_both_left_out_and_named(site: Site) -> None:
    site.install("rrq-first", GOOD, plugin="same")
    site.install("rrq-second", GOOD, plugin="same")

    ran = site.rrq("plugins", "list")

    rows = [line for line in ran.stdout.splitlines() if line.startswith("same\t")]
    assert [row.split("\t")[2] for row in rows] == ["rrq-first", "rrq-second"]
    for row in rows:
        assert "failed: rrq-first 1.0 and rrq-second 1.0 both have a plugin of this name" in row


def test_a_plugin_cannot_take_the_name_of_one_of_ours(site: Site) -> None:
    site.install("rrq-thief", GOOD, plugin="rrq.cli.plugins")

    ran = site.rrq("plugins", "list", "--all")

    thief = next(line for line in ran.stdout.splitlines() if "rrq-thief" in line)
    assert "failed: names that begin with `rrq.`" in thief
    assert "command plugins list" in ran.stdout


def test_a_damaged_distribution_does_not_hide_the_others(site: Site) -> None:
    site.install("rrq-good", GOOD)
    damaged = site.path / "damaged-1.0.dist-info"
    damaged.mkdir()
    (damaged / "entry_points.txt").write_text("[rrq.plugins]\nno value here\n")

    ran = site.rrq("plugins", "show", "good")

    assert ran.returncode == 0
    assert "damaged-1.0.dist-info" in ran.stderr
    assert "active" in ran.stdout


def test_without_plugins_none_is_imported(site: Site) -> None:
    site.install("rrq-noisy", f"print('imported')\n{GOOD}".replace("\n    ", "\n"))

    ran = site.rrq("--no-plugins", "plugins", "list")

    assert ran.returncode == 0
    assert "imported" not in ran.stderr
    assert "noisy" not in ran.stdout


def test_what_a_plugin_prints_on_import_does_not_spoil_json(site: Site) -> None:
    site.install("rrq-noisy", f"print('imported')\n{GOOD}".replace("\n    ", "\n"))

    assert site.listed()["noisy"]["status"] == "active"
