"""YAML text to nodes: no tags, no anchors, no aliases, no duplicates, bounded in depth and number."""

import re

import yaml

from healer.yamldoc.mark import Mark, Problems
from healer.yamldoc.node import BROKEN, MAX_DEPTH, Entry, Items, Node, Scalar, Table
from healer.yamldoc.offsets import offsets
from healer.yamldoc.scalar import AmbiguousScalar, resolve

MAX_NODES = 100_000
# libyaml where PyYAML was built with it: 18 ms instead of 320 ms for 500 rules. Events only, so nothing is constructed.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_TAB = re.compile(r"^ *\t[ \t]*\S", re.MULTILINE)


_SELECTOR = re.compile(
    r"""(?P<key>\b[\w-]+:[ ]+)?(?P<value>[^\s,{}\[\]"'][^,{}\[\]"':]*\{[^{}]*\}[^,{}\[\]]*(?:\{[^{}]*\}[^,{}\[\]]*)*)"""
)


class _Stop(Exception):
    """Nothing after this place can be understood."""


def compose(text: str, name: str, problems: Problems) -> Node | None:
    """Read one document; None (with problems noted) where it has no structure to go on with."""
    if not _clean(text, name, problems):
        return None
    builder = _Builder(text, name, problems)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except _Stop:
        return None
    except yaml.MarkedYAMLError as exc:
        _broken(exc, text, builder, problems)
        return None
    except yaml.YAMLError as exc:
        problems.add(Mark(file=name, line=1, column=1), f"not YAML: {' '.join(str(exc).split())[:120]}")
        return None
    return builder.root


def _broken(exc: yaml.MarkedYAMLError, text: str, builder: "_Builder", problems: Problems) -> None:
    """Note what is not YAML where it went wrong, which is not always where the parser noticed."""
    at, name = exc.problem_mark or exc.context_mark, builder.name
    line, column = (at.line + 1, at.column + 1) if at else (1, 1)
    problem, context = exc.problem or "it ends too early", exc.context or ""
    opened = None
    if "quoted scalar" in context and "end of stream" in problem and (start := exc.context_mark):
        opened = Mark(file=name, line=start.line + 1, column=start.column + 1)
    elif "did not find expected" in problem and builder.quoted and builder.quoted[1] == line:
        opened = builder.quoted[0]  # it swallowed lines up to the next quote, which then made no sense
    if opened:
        problems.add(opened, "not YAML: the quote that opens here is not closed on its line", "close it")
        return
    said = f"not YAML: {problem} {context}".rstrip()
    mark = Mark(file=name, line=line, column=column)
    problems.add(mark, said, _quoted(text, line, column, context) or _hint(problem))


def _quoted(text: str, line: int, column: int, context: str) -> str:
    """How to write a condition whose braces were taken for those of a mapping; empty where there is none."""
    if "flow" not in context:
        return ""
    words = (text.split("\n")[line - 1 : line] or [""])[0][:400]
    found = next((one for one in _SELECTOR.finditer(words) if one.start() < column <= one.end()), None)
    if found is None:
        return ""
    value = found["value"].strip()
    if value.count("(") != value.count(")"):
        return "quote the whole condition"
    sign = "'" if '"' in value else '"'
    return f"quote it: {found['key'] or ''}{sign}{value}{sign}"


def _hint(problem: str) -> str:
    if "mapping values are not allowed" in problem:
        return "quote a text that holds ': '"
    if "cannot start any token" in problem:
        return "quote a text that starts with a special character such as % @ or `"
    if "did not find expected" in problem:
        return "look at the indentation and at brackets and quotes just before"
    return ""


def _clean(text: str, name: str, problems: Problems) -> bool:
    """Refuse what editors hide: a byte order mark, NUL and other control characters, tabs that indent."""
    if text.startswith("\ufeff"):
        problems.add(Mark(file=name, line=1, column=1), "starts with a byte order mark", "save it as UTF-8 without BOM")
        return False
    if found := _UNPRINTABLE.search(text):
        problems.add(_place(text, name, found.start()), f"control character U+{ord(found[0]):04X}", "remove it")
        return False
    if found := _TAB.search(text):
        at = found.start() + found[0].index("\t")
        problems.add(_place(text, name, at), "a tab indents this line", "indent with spaces")
        return False
    return True


def _place(text: str, name: str, index: int) -> Mark:
    start = text.rfind("\n", 0, index) + 1
    return Mark(file=name, line=text.count("\n", 0, index) + 1, column=index - start + 1)


class _Open:
    """A collection whose end has not been seen yet."""

    __slots__ = ("entries", "items", "key", "mark", "seen")

    def __init__(self, mark: Mark, *, table: bool) -> None:
        self.mark = mark
        self.items: list[Node] = []
        self.entries: list[Entry] | None = [] if table else None
        self.key: tuple[str | None, Mark] | None = None
        self.seen: dict[str, Mark] = {}


class _Builder:
    """Builds nodes from events without recursion, so that depth costs nothing but a comparison."""

    def __init__(self, text: str, name: str, problems: Problems) -> None:
        self.root: Node | None = None
        self._text = text
        self.name = name
        self.quoted: tuple[Mark, int] | None = None
        """The last text in quotes that goes on over lines: where it opens, and the line where it ends."""
        self._problems = problems
        self._stack: list[_Open] = []
        self._documents = 0
        self._nodes = 0

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._count(event)
            self._add(self._scalar(event))
            self._remember(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._count(event)
            if len(self._stack) >= MAX_DEPTH:
                self._problems.add(self._mark(event), f"nested deeper than {MAX_DEPTH}", "flatten it")
                raise _Stop
            self._stack.append(_Open(self._mark(event), table=isinstance(event, yaml.MappingStartEvent)))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close(self._stack.pop())
        elif isinstance(event, yaml.AliasEvent):
            mark = self._mark(event)
            self._problems.add(mark, f"alias *{event.anchor}: aliases are not used here", "write the value out")
            self._add(Scalar(mark=mark, value=BROKEN, text=""))
        elif isinstance(event, yaml.DocumentStartEvent):
            self._document(event)

    def _remember(self, event: yaml.ScalarEvent) -> None:
        if event.style in ("'", '"') and (start := event.start_mark) and (end := event.end_mark):
            self.quoted = (self._mark(event), end.line + 1) if end.line > start.line else None

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        if event.version or event.tags:
            self._problems.add(self._mark(event), "a %YAML or %TAG directive", "remove it: documents here are YAML 1.2")
        if self._documents > 1:
            self._problems.add(self._mark(event), "a second document begins", "one document per file; remove the ---")
            raise _Stop

    def _count(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._problems.add(self._mark(event), f"more than {MAX_NODES} values in one file", "split it")
            raise _Stop
        if event.anchor is not None:
            self._problems.add(
                self._mark(event),
                f"anchor &{event.anchor}: anchors are not used here",
                "write the value out where it is needed",
            )
        if event.tag is not None:
            self._problems.add(self._mark(event), f"tag {event.tag[:60]}: tags are not used here", "remove it")

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        mark, text = self._mark(event), event.value
        plain = event.style in (None, "")
        try:
            value = resolve(text) if plain else text
        except AmbiguousScalar as exc:
            self._problems.add(mark, str(exc), exc.hint)
            return Scalar(mark=mark, value=BROKEN, text=text)
        return Scalar(mark=mark, value=value, text=text, places=lambda: offsets(self._text, event, mark))

    def _close(self, ended: _Open) -> None:
        if ended.entries is None:
            self._add(Items(mark=ended.mark, items=tuple(ended.items)))
        else:
            self._add(Table(mark=ended.mark, entries=tuple(ended.entries)))

    def _add(self, node: Node) -> None:
        if not self._stack:
            self.root = node
            return
        parent = self._stack[-1]
        if parent.entries is None:
            parent.items.append(node)
        elif parent.key is None:
            parent.key = (self._key(node, parent), node.mark)
        else:
            (key, mark), parent.key = parent.key, None
            if key is not None:
                parent.entries.append(Entry(key=key, mark=mark, node=node))

    def _key(self, node: Node, parent: _Open) -> str | None:
        """The text of a key; None where it cannot be one, which is noted."""
        if not isinstance(node, Scalar):
            self._problems.add(node.mark, "a list or mapping as a key", "keys are text")
            return None
        if node.value is BROKEN:
            return None
        if not isinstance(node.value, str):
            self._problems.add(node.mark, f"the key {node.text or 'null'} is not text", f'quote it: "{node.text}"')
            return None
        if node.value == "<<":
            self._problems.add(node.mark, "merge keys are not used here", "write the keys out")
            return None
        if node.value in parent.seen:
            self._problems.add(node.mark, f"'{node.value}' is written twice", f"first at {parent.seen[node.value]}")
            return None
        parent.seen[node.value] = node.mark
        return node.value

    def _mark(self, event: yaml.Event) -> Mark:
        start = event.start_mark
        assert start is not None  # noqa: S101 - the parser marks every event; only PyYAML's type says otherwise
        return Mark(file=self.name, line=start.line + 1, column=start.column + 1)
