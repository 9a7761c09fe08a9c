"""The page of promises names tests that are there."""

import re

from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "promises.md"


def test_every_test_and_file_that_is_named_is_there():
    text = PAGE.read_text("utf-8")
    named = set(re.findall(r"`((?:tests|bench)/[\w/]+\.py)`", text))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (REPOSITORY / path).is_file()] == []
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert [link for link in links if not (PAGE.parent / link).exists()] == []


def test_every_environment_that_is_named_is_there():
    environments = re.findall(r"\[testenv:([\w-]+)\]", (REPOSITORY / "tox.ini").read_text())
    assert set(re.findall(r"tox run -e ([\w-]+)", PAGE.read_text("utf-8"))) <= set(environments)
