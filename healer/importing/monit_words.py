"""A Monit control file as words with their places, and as statements."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from healer.importing.secrets import redacted
from healer.yamldoc.mark import Mark, Problems

_WORD = re.compile(r"""
    (?P<space>[ \t\r\n\f]+ | \#[^\n]*)
  | "(?P<double>(?:\\.|[^"\\])*)" | '(?P<single>(?:\\.|[^'\\])*)'
  | (?P<op> != | == | >= | <= | <> | [<>=] )
  | (?P<braces> \{[^{}]*\} )
  | (?P<mark> [(){},;!] )
  | (?P<word> [^\s"'<>=!(){},;\#\0]+ )
""", re.VERBOSE | re.DOTALL)  # fmt: skip
_STARTS = frozenset({"check", "set", "include"})
_INSIDE = frozenset({
    "start", "stop", "restart", "if", "depend", "depends", "group", "mode", "every", "not", "alert", "noalert",
    "onreboot",
})  # fmt: skip
_PARTS = frozenset({"start", "stop", "restart"})
_MOST_WORDS = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word, number, operator or quoted text."""

    text: str
    mark: Mark
    quoted: bool = False

    @property
    def low(self) -> str:
        """As a keyword; a quoted text is none."""
        return "" if self.quoted else self.text.lower()


Words = Sequence[Word]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A statement at the top (``set ...``), or a ``check`` with what belongs to it."""

    head: Words
    body: Sequence[Words] = ()

    @property
    def mark(self) -> Mark:
        """Where it begins."""
        return self.head[0].mark


def words(text: str, file: str, problems: Problems) -> list[Word]:
    """The words of a file; what is none is noted, and ends the reading."""
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    found: list[Word] = []
    at = 1 if text.startswith("\ufeff") else 0
    while at < len(text):
        line = bisect_right(starts, at)
        mark = Mark(file=file, line=line, column=at - starts[line - 1] + 1)
        match = _WORD.match(text, at)
        if match is None or len(found) >= _MOST_WORDS:
            what = "a quoted text that is never closed" if text[at] in "\"'" else f"{text[at]!r} begins no word"
            problems.add(mark, what if match is None else "more words than anybody writes", "what follows was not read")
            return found
        at = match.end()
        if match.lastgroup in {"double", "single"}:
            held = re.sub(r"\\(.)", r"\1", match.group(match.lastgroup), flags=re.DOTALL)
            found.append(Word(text=held, mark=mark, quoted=True))
        elif match.lastgroup != "space":
            # What stands in braces is a list or a letter: one word, whatever is in it.
            found.append(Word(text=" ".join(match.group().split()), mark=mark))
    return found


def blocks(found: Words) -> list[Block]:
    """Statements in their order; each begins with check, set or include, and in a check with its own words."""
    made: list[tuple[list[Word], list[list[Word]]]] = []
    inside = False
    for index, word in enumerate(found):
        begins = _begins(found, index)
        if begins == "top" or not made:
            made.append(([word], []))
            inside = word.low == "check"
        elif begins == "inner" and inside:
            made[-1][1].append([word])
        else:
            (made[-1][1][-1] if made[-1][1] else made[-1][0]).append(word)
    return [Block(head=head, body=body) for head, body in made]


def _begins(found: Words, index: int) -> str:
    word, before = found[index].low, found[index - 1].low if index else ""
    after = found[index + 1].low if index + 1 < len(found) else ""
    if word in _STARTS and before not in {"then", "else", "if"} and not (word == "set" and before == "="):
        return "top"
    if word not in _INSIDE or before in {"then", "else", "if", "not", "as", "and", "onreboot", "check"}:
        return ""
    if word in _PARTS:
        # "start program = ..." is a statement, "then start" an action; "restart program" likewise.
        return "inner" if after in {"program", "=", ""} or (after and found[index + 1].quoted) else ""
    if word == "not":
        return "inner" if after == "every" else ""
    if word == "every":
        # "repeat every 5 cycles" belongs to an exec.
        return "" if before == "repeat" else "inner"
    return "inner"


def said(found: Words, longest: int = 120) -> str:
    """Words on one line, for people; without passwords."""
    texts = [f'"{word.text}"' if word.quoted else word.text for word in found]
    for place, word in enumerate(found[:-1]):
        if word.low in {"password", "passphrase"}:
            texts[place + 1] = "***"
    return redacted(" ".join(texts))[:longest]
