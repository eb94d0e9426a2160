"""Importing what a project names, from the project that names it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.building import problems
from gatewatch.config.imports import import_module, named_object

WHERE = "gatewatch.toml: suites.main.task"


@pytest.fixture(autouse=True)
def path_as_it_was() -> Iterator[None]:
    before = list(sys.path)
    yield
    sys.path[:] = before


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return folder


@pytest.mark.parametrize("name", ["imported_a", "imported_a.py", "./imported_a.py"])
def test_a_file_or_a_dotted_name(tmp_path: Path, name: str) -> None:
    put(tmp_path, "imported_a.py", "answer = 1\n")
    assert import_module(tmp_path, name, WHERE).answer == 1


def test_a_package_and_a_folder_without_init(tmp_path: Path) -> None:
    put(tmp_path, "imported_b/inner.py", "answer = 1\n")
    put(tmp_path, "imported_c/__init__.py", "")
    put(tmp_path, "imported_c/inner.py", "answer = 2\n")
    assert import_module(tmp_path, "imported_b/inner.py", WHERE).answer == 1
    assert import_module(tmp_path, "imported_c.inner", WHERE).answer == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = = 1\n", "DIR/imported_d.py:1: invalid syntax"),
        ("\n\nraise KeyError('nothing')\n", "KeyError: 'nothing' (imported_d.py:3)"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3 (imported_d.py:2)"),
        ("import imported_not_there\n", "ModuleNotFoundError: No module named 'imported_not_there' (imported_d.py:1)"),
        ("from json import nothing\n", "ImportError: cannot import name 'nothing' from 'json'"),
        ("def f():\n    return 1 / 0\n\nx = f()\n", "ZeroDivisionError: division by zero (imported_d.py:2)"),
    ],
)
def test_a_module_that_fails(tmp_path: Path, text: str, said: str) -> None:
    put(tmp_path, "imported_d.py", text)
    (problem,) = problems(lambda: import_module(tmp_path, "imported_d", WHERE), tmp_path)
    assert problem.startswith(f"{WHERE}: imported_d cannot be imported: {said}")
    put(tmp_path, "imported_d.py", "answer = 'mended'\n")  # it can be tried again
    assert import_module(tmp_path, "imported_d", WHERE).answer == "mended"


def test_a_folder_whose_name_begins_like_the_projects(tmp_path: Path) -> None:
    put(tmp_path / "one", "imported_l.py", "import imported_m\n")
    put(tmp_path / "one-more", "imported_m.py", "raise OSError('gone')\n")
    sys.path.insert(0, str(tmp_path / "one-more"))
    said = f"{WHERE}: imported_l cannot be imported: OSError: gone (imported_l.py:1)"
    assert problems(lambda: import_module(tmp_path / "one", "imported_l", WHERE)) == [said]


def test_all_that_is_wrong_with_a_rubric_that_a_file_loads(tmp_path: Path) -> None:
    put(tmp_path, "rubric.md", "---\nscal = 1\n---\nGood?\n")
    put(tmp_path, "imported_e.py", f"from gatewatch import judge\n\ngood = judge({str(tmp_path / 'rubric.md')!r})\n")
    said = "gatewatch.toml: project.scorers: imported_e.py cannot be imported (imported_e.py:3): DIR/rubric.md"
    assert problems(lambda: import_module(tmp_path, "imported_e.py", "gatewatch.toml: project.scorers"), tmp_path) == [
        f"{said}:2: unknown key 'scal' (did you mean \"scale\"?)",
        f'{said}:1: scale is missing (write scale = "binary", or a range such as scale = "1-5")',
    ]


@pytest.mark.parametrize("name", ["imported_nowhere", "imported_nowhere.py", "imported_f.nowhere"])
def test_no_such_module(tmp_path: Path, name: str) -> None:
    put(tmp_path, "imported_f.py", "")
    dotted = name.removesuffix(".py")
    assert problems(lambda: import_module(tmp_path, name, WHERE), tmp_path) == [
        f"{WHERE}: there is no module {dotted!r} (looked in DIR and in what is installed)"
    ]


def test_each_project_has_its_own_modules(tmp_path: Path) -> None:
    for name in ("one", "two"):
        put(
            tmp_path / name,
            "imported_app.py",
            f"from imported_part import said\n\ndef answer(): return {name!r}, said\n",
        )
        put(tmp_path / name, "imported_part.py", f"said = {name!r}\n")
        put(tmp_path / name, "imported_space/inner.py", f"said = {name!r}\n")
    put(tmp_path / "two", "imported_only_two.py", "")
    for name in ("one", "two", "one"):  # and back again
        root = tmp_path / name
        assert named_object(root, "imported_app:answer", WHERE)() == (name, name)
        assert import_module(root, "imported_space.inner", WHERE).said == name
    said = problems(lambda: import_module(tmp_path / "one", "imported_only_two", WHERE), tmp_path)
    assert said == [f"{WHERE}: there is no module 'imported_only_two' (looked in DIR/one and in what is installed)"]


def test_a_module_is_imported_once(tmp_path: Path) -> None:
    put(tmp_path, "imported_g.py", "")
    assert import_module(tmp_path, "imported_g", WHERE) is import_module(tmp_path, "imported_g.py", WHERE)


def test_the_projects_own_comes_before_what_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", "imported_h.py", "here = False\n")
    sys.path.insert(0, str(tmp_path / "elsewhere"))
    __import__("imported_h")
    put(tmp_path / "project", "imported_h.py", "here = True\n")
    assert import_module(tmp_path / "project", "imported_h", WHERE).here


def test_a_project_behind_a_link_is_not_imported_twice(tmp_path: Path) -> None:
    put(tmp_path / "real", "imported_i.py", "")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    sys.path.insert(0, str(tmp_path / "link"))
    before = __import__("imported_i")
    assert import_module(tmp_path / "real", "imported_i", WHERE) is before


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("imported_j", "expected module:function, got 'imported_j'"),
        (":answer", "expected module:function, got ':answer'"),
        ("imported_j:", "expected module:function, got 'imported_j:'"),
        ("imported_j:anwser", "imported_j has no 'anwser' (did you mean \"answer\"?)"),
        ("imported_j:Bot.anwser", "imported_j has no 'Bot.anwser' (did you mean \"answer\"?)"),
        ("imported_j:limit", "imported_j:limit is not a function (it is of type int)"),
        ("imported_j:_nothing", "imported_j has no '_nothing' (known: Bot, answer)"),
    ],
)
def test_what_names_nothing(tmp_path: Path, reference: str, said: str) -> None:
    put(tmp_path, "imported_j.py", "limit = 3\ndef answer(): ...\nclass Bot:\n    def answer(self): ...\n")
    assert problems(lambda: named_object(tmp_path, reference, WHERE)) == [f"{WHERE}: {said}"]


def test_a_method_can_be_named(tmp_path: Path) -> None:
    put(tmp_path, "imported_k.py", "class Bot:\n    def answer(self): return 7\nbot = Bot()\n")
    assert named_object(tmp_path, "imported_k:bot.answer", WHERE)() == 7
