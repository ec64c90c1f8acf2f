"""What a library's exception becomes: one line, what is wrong first, and the remedy within sight."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ryven_llm_nodes.system.causes import describe, is_unreachable

PARAGRAPH = (
    "We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the cached files.\n"
    "Check your internet connection or see how to run the library in offline mode at 'https://huggingface.co/docs'."
)
"""As of transformers 5.24, ``utils/hub.py``."""


def raised(*errors: Exception) -> Exception:
    """The first of ``errors``, each raised from the next."""
    for error, cause in pairwise(errors):
        error.__cause__ = cause
    return errors[0]


@pytest.mark.parametrize(
    ("cause", "why"),
    [
        (
            OSError("Cannot find the requested files in the disk cache and outgoing traffic has been disabled."),
            "HF_HUB_OFFLINE keeps it from being fetched. Unset it",
        ),
        (
            ConnectionError("[Errno -2] Name or service not known"),
            "the Hub cannot be reached (ConnectionError: [Errno -2] Name or service not known). Check the network",
        ),
        (
            ConnectionError("certificate verify failed: self-signed certificate."),
            "the Hub cannot be reached (ConnectionError: certificate verify failed: self-signed certificate). "
            "Check the network",
        ),
    ],
)
def test_a_model_that_cannot_be_fetched_is_told_in_a_sentence(cause: Exception, why: str) -> None:
    error = raised(OSError(PARAGRAPH), cause)
    assert describe(error) == f"it is not among the downloaded models, and {why}, or use a local folder."
    assert is_unreachable(error)


def test_causes_are_told_where_they_add_something() -> None:
    error = raised(ValueError("no rows"), RuntimeError("no rows"), ZeroDivisionError("in line 3"))
    assert describe(error) == "ValueError: no rows. Cause: ZeroDivisionError: in line 3."
    assert not is_unreachable(error)


def test_an_error_without_a_message_says_where_it_is_from() -> None:
    with pytest.raises(AssertionError) as caught:
        raise AssertionError
    assert describe(caught.value).startswith("AssertionError: no message, from test_causes.py, line ")
