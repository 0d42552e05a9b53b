"""The language in which a person is spoken to."""

import pytest

from service.language import language_of


@pytest.mark.parametrize(
    ("environ", "lang"),
    [
        ({}, "en"),
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "KO"}, "ko"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LC_MESSAGES": "ko_KR", "LANG": "C"}, "ko"),
        ({"LC_ALL": "", "LANG": "ko"}, "ko"),
        ({"LC_ALL": "C", "LANG": "ko_KR.UTF-8"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "ko_KR", "LANG": "en_US"}, "ko"),
    ],
)
def test_the_first_variable_of_the_locale_that_is_set_chooses_korean_or_else_english(
    environ: dict[str, str], lang: str
) -> None:
    assert language_of(environ) == lang
