"""A tiny project with a gate: sessions of pytest judge what a module says, and need no load."""

import textwrap

import pytest

from verdict_harness.sensitivity.run import Project

FILES = {
    "pytest.ini": """
        [pytest]
        verdict_requirements = criteria/requirements.toml
        markers = shop
        addopts = -p no:randomly -p no:cacheprovider -p no:hypothesispytest
        """,
    "shop.py": """
        PRICE = 0.1


        def price():
            return PRICE


        def wait():
            return 0.01
        """,
    "criteria/requirements.toml": '["The shop"]\ncriteria = ["S.price", "S.wait"]\n',
    "criteria/test_shop.py": """
        import pytest
        import shop
        from verdict_harness.samples import exact, ms
        from verdict_harness.verdicts import Below

        pytestmark = pytest.mark.shop


        @pytest.fixture
        def observed(run):
            # as a load does: asked once, and read again when the run is judged later
            return lambda name, value: exact(name, run.evidence.fact(name, value), at=0.0, n=9)


        @pytest.mark.criterion("S.price", "S", asr="The shop")
        def test_price(judge, observed):
            judge(observed("price", shop.price), Below(200 * ms))


        @pytest.mark.criterion("S.wait", "S", asr="The shop")
        def test_wait(judge, observed):
            judge(observed("wait", shop.wait), Below(200 * ms))
        """,
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("HARNESS_BACKEND", "HARNESS_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "shop"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(textwrap.dedent(text).lstrip())
    return Project(root, "criteria", patience=60.0)
