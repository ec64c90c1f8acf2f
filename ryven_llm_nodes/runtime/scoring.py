"""What rewards read of a completion."""

import json
import re


def answer_of(completion: str | list[dict]) -> str:
    """The text of a completion; of a conversation, that of its last message."""
    content = completion if isinstance(completion, str) else completion[-1].get("content")
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content)
    return content or ""


def as_message(completion: str | list[dict]) -> list[dict]:
    """A completion as TRL's own rewards take it: a list with one message."""
    return [{"role": "assistant", "content": answer_of(completion)}]


def extracted(text: str, pattern: str) -> str:
    """The first group (or all) of the last match of `pattern` in a text; nothing where there is no match."""
    found = list(re.finditer(pattern, text, re.DOTALL))
    return "" if not found else (found[-1].group(1) if found[-1].groups() else found[-1].group()) or ""


def same_text(text: str, wanted: object, ignore_case: bool = False) -> bool:
    """Whether a text is `wanted`; a number is compared by its value, and white space around does not count."""
    text, wanted = text.strip(), str(wanted).strip()
    if ignore_case:
        text, wanted = text.lower(), wanted.lower()
    return text == wanted or (as_number(text) is not None and as_number(text) == as_number(wanted))


def as_number(text: str) -> float | None:
    """The number that a text such as "1,000.50" is, if it is one."""
    return float(text.replace(",", "")) if re.fullmatch(r"[-+]?\d[\d,]*(\.\d+)?", text) else None


def json_in(text: str) -> object:
    """The JSON value that a text is, fenced by three backticks or not; None if it is none."""
    fenced = re.fullmatch(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", text, re.DOTALL)
    try:
        return json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return None


def within(length: int, at_least: int, at_most: int) -> float:
    """1 for a length from `at_least` to `at_most`; less outside of it, down to 0 for none or for twice the most."""
    if length < at_least:
        return length / at_least
    return 1.0 if length <= at_most else max(0.0, 2.0 - length / max(at_most, 1))


def share_of_words(text: str, words: list[str], ignore_case: bool = True) -> float:
    """The share of `words` that occur in a text, each as a word of its own."""
    flags = re.IGNORECASE if ignore_case else 0
    found = [word for word in words if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, flags)]
    return len(found) / len(words)
