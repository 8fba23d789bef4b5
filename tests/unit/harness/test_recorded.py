"""A file of recording rules, as the harness reads it."""

import pytest

from verdict_harness.errors import UsageError
from verdict_harness.systems import expressions


def test_every_rule_that_records_and_no_alert(tmp_path):
    path = tmp_path / "rules.yml"
    path.write_text(
        "groups:\n- name: g\n  rules:\n"
        "  - {record: 'a:b', expr: 'rate(x[30s])'}\n"
        "  - {alert: Loud, expr: 'x > 1'}\n"
        "- name: h\n  rules: [{record: c, expr: 1}]\n"
    )
    assert expressions(path) == {"a:b": "rate(x[30s])", "c": "1"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("groups: [", "ParserError"),
        ("", "TypeError"),
        ("rules: []", "KeyError: 'groups'"),
        ("groups: [{name: g}]", "KeyError: 'rules'"),
        ("groups: [{rules: [{record: a}]}]", "KeyError: 'expr'"),
        ("groups:", "TypeError"),
        (None, "FileNotFoundError"),
    ],
)
def test_what_is_no_file_of_rules_says_what_one_looks_like(tmp_path, text, found):
    path = tmp_path / "rules.yml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match="the recording rules can't be read") as caught:
        expressions(path)
    assert caught.value.found.startswith(found)
    assert caught.value.where == str(path)
    assert "groups: [{name: " in caught.value.expected
    assert "promtool check rules" in caught.value.todo
