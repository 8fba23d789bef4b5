"""A copy of a project holds what git would take, and its Python imports from it whatever is installed."""

import os
import subprocess
import sys

import pytest

from verdict_harness.sensitivity import tree


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    for name, text in {
        "src/core/__init__.py": "NAME = 'original'\n",
        "names/part.py": "",  # a namespace: no __init__
        "notes.md": "read me",
        ".gitignore": "*.log\n",
        "noise.log": "x",
        "runs/latest/verdict.json": "{}",
        ".nox/env/made": "x",
        "cache/CACHEDIR.TAG": "Signature",
        "env/pyvenv.cfg": "home",
        "core/__pycache__/core.pyc": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def git(root, *words):
    own = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *own, *words], cwd=root, check=True, capture_output=True)


def names(root):
    return [path.as_posix() for path in tree.listed(root)]


def test_without_git_all_but_environments_caches_and_runs(project):
    assert names(project) == [".gitignore", "names/part.py", "noise.log", "notes.md", "src/core/__init__.py"]


def test_with_git_what_it_has_or_would_take(project):
    git(project, "init")
    git(project, "add", "src", "notes.md", ".gitignore")
    git(project, "commit", "-m", "all")
    (project / "notes.md").unlink()
    (project / "new.py").write_text("")
    assert "noise.log" not in names(project)
    assert "notes.md" not in names(project), "it is deleted, if not in git"
    assert {"new.py", "names/part.py", "src/core/__init__.py"} <= set(names(project))


def test_the_modules_of_the_copy_win(project, monkeypatch):
    """Over those of the original, whichever way these are found: by a path, and by what is installed."""
    outside, spelt = str(project.parent / "outside"), f"{project}/names/../src"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(project), spelt, outside]))
    monkeypatch.setattr(sys, "path", [str(project), str(project / "src"), *sys.path])
    with tree.copied(project) as copy:
        (copy.root / "src/core/__init__.py").write_text("NAME = 'copy'\n")
        (copy.root / "names/part.py").unlink()
        (copy.root / "names/other.py").write_text("")
        assert copy.environment()["PYTHONPATH"] == outside
        ours, bare = {**os.environ, **copy.environment()}, {"PATH": os.environ["PATH"]}
        for env in (ours, bare):  # the session's, and that of the services, which is built
            done = subprocess.run(
                [copy.python, "-c", "import core, names, pytest; print(core.NAME, *names.__path__)"],
                cwd="/",
                env=env,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.stdout.split() == ["copy", str(copy.root / "names")], done.stderr
        who = "import sys; print(sys.executable)"
        named = subprocess.run(["python", "-c", who], env=ours, capture_output=True, text=True, check=True)
        assert named.stdout.strip() == str(copy.python), "whoever says `python` gets it, too"
        assert not {"PYTEST_CURRENT_TEST"} & {name for name, value in ours.items() if value}
        where = copy.root.parent
    assert not where.exists()
    assert (project / "src/core/__init__.py").read_text() == "NAME = 'original'\n"


def test_what_is_installed_for_editing_does_not_win_either(project, tmp_path, monkeypatch):
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "editable.pth").write_text(f"{project}\n{project / 'src'}\n")
    monkeypatch.setattr(tree.site, "getsitepackages", lambda: [str(installed)])
    monkeypatch.setattr(sys, "path", [*sys.path, str(project), str(project / "src")])
    with tree.copied(project) as copy:
        done = subprocess.run(
            [copy.python, "-c", "import core, names; print(core.__file__, *names.__path__)"],
            env={"PATH": os.environ["PATH"]},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        found = [str(copy.root / "src/core/__init__.py"), str(copy.root / "names")]
        assert done.stdout.split() == found, done.stderr


def test_the_digest_is_of_what_a_run_depends_on(project):
    before = tree.digest(project, [project / "names"])
    assert list(before) == [".gitignore", "noise.log", "src/core/__init__.py"]
    (project / "notes.md").write_text("other")
    (project / "names/part.py").write_text("other")
    assert tree.digest(project, [project / "names"]) == before
    (project / "src/core/__init__.py").write_text("other")
    assert tree.digest(project, [project / "names"]) != before
