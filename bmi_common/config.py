"""YAML configuration: positions for error messages, validation by pydantic, paths relative to the naming file."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Self, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, PydanticKnownError

from bmi_common.errors import ConfigError, ConfigErrors, together

Position = tuple[Hashable, ...]
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_META_KEYS = ("paths", "relative_to", "staged_from", "origins")  # the latter two in records of earlier versions
_DEEPEST = 100
"""Levels of a YAML file; what walks through the data later must not meet Python's own limit."""


class _Loader(yaml.SafeLoader):
    """Safe loader that reads ``1e-6`` as a number, as YAML 1.2 does, and knows keys written from keys merged (<<)."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.written: dict[yaml.Node, frozenset[yaml.Node]] = {}

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        self.written[node] = frozenset(key for key, _ in node.value)
        return node


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+0123456789."),
)


class _TextLoader(_Loader):
    """Loader that leaves scalars as they are written, but for those that are empty or null."""


_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":null", ":merge"))]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


@dataclass
class Document:
    """A YAML file as plain data, with the line of every key.

    Attributes
    ----------
    path : Path
        Where it was read.
    data : object
        Mappings, lists and scalars.
    lines : dict
        Line (from 1) of each key or list entry, by its path of keys.
    origins : dict
        Where values come from that do not stand in the file, by path of keys, in words for messages.
    """

    path: Path
    data: Any
    lines: dict[Position, int]
    origins: dict[Position, str] = field(default_factory=dict)

    def has(self, position: Position) -> bool:
        """Whether the key stands in the file, or leads to a value of another origin."""
        return position in self.lines or any(at[: len(position)] == position for at in self.origins)

    def line(self, position: Position) -> int | None:
        """Line of the deepest part of `position` that the file has."""
        for n in range(len(position), 0, -1):
            if position[:n] in self.lines:
                return self.lines[position[:n]]
        return None

    def error(self, position: Position, message: str, line: int | None = None) -> ConfigError:
        """Build the error that names key, and file and line (by default the key's) or another origin of the value."""
        key = dotted(position)
        origin = self._origin(position)
        if origin is not None:
            return ConfigError(message, key=key, file=origin)
        below = [told for at, told in self.origins.items() if position and at[: len(position)] == position]
        also = f" ({', '.join(below)})" if below else ""
        return ConfigError(f"{message}{also}", key=key, file=self.path, line=line or self.line(position))

    def where(self, position: Position) -> str:
        """Name file and line of a key, or where else its value comes from."""
        line = self.line(position)
        return self._origin(position) or (f"{self.path}:{line}" if line else str(self.path))

    def _origin(self, position: Position) -> str | None:
        above = (position[:n] for n in range(len(position), 0, -1))
        return next((self.origins[at] for at in above if at in self.origins), None)

    def located(self, error: ConfigError) -> ConfigError:
        """Return the error with the file, and the line or other origin, of the keys of its mistakes.

        The name of a component of error control, such as ``error_control.audit.component``, is a key, too.
        """

        def placed(m: ConfigError) -> ConfigError:
            if m.component:
                return self.error(self._position(m.component), str(m.changed(component="")))
            return self.error((), str(m)) if m.file is not None else self.error(self._position(m.key), m.message)

        return together(map(placed, error.mistakes))

    def located_as(self, read: Path, error: ConfigError) -> ConfigError:
        """Return the error of a component that has `read` a copy of this document as one of the document itself."""

        def placed(m: ConfigError) -> ConfigError:
            if str(m.file) != str(read):
                return m
            error = self.error(self._position(m.key), m.message)
            line = m.line and error.line  # of a line that nobody has looked for nothing is said
            return error.changed(line=line, component=m.component, of_period=m.of_period)

        return together(map(placed, error.mistakes))

    def _position(self, key: str) -> Position:
        """Find a dotted key; what lies below the last part that the file has counts as one part."""
        above = (at for at in self.lines if f"{key}.".startswith(f"{dotted(at)}."))
        known = max(above, key=len, default=())
        rest = key[len(dotted(known)) :].lstrip(".")
        return (*known, rest) if rest else known

    def put(self, position: Position, value: Any, origin: str | None = None) -> None:
        """Give a key, whose section must exist, another value, which comes from `origin`."""
        section = self.data
        for key in position[:-1]:
            section = section[key]
        section[position[-1]] = value
        for places in (self.lines, self.origins):
            for at in [at for at in places if at[: len(position)] == position]:
                del places[at]
        self.lines.update(dict.fromkeys(_positions(value, position), 0))
        if origin is not None:
            self.origins[position] = origin


def dotted(position: Position) -> str:
    """Write a path of keys as ``time.start``."""
    return ".".join(map(str, position))


def _positions(value: Any, at: Position) -> Iterator[Position]:
    yield at
    parts = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from _positions(part, (*at, key))


def read_yaml(path: Path, *, as_text: bool = False) -> Document:
    """Read a YAML file with the safe loader.

    Parameters
    ----------
    path : Path
        The file.
    as_text : bool
        Whether keys and values stay as they are written: YAML 1.1 makes true of ``on``, 8 of ``010``.

    Raises
    ------
    ConfigError
        If the file is missing, not text, no YAML, or holds a key twice.
    """
    try:
        if path.exists() and not path.is_file():  # a device or a pipe would be read without end
            raise ConfigError(f"{path}: cannot be read: it is no file{', but a folder' if path.is_dir() else ''}")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file{_sibling(path)}") from None
    except (OSError, ValueError) as error:  # ValueError: no text, or no name of a file
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    document = Document(path, None, {})
    parse_yaml(text, document, _TextLoader if as_text else _Loader)
    return document


def parse_yaml(text: str, document: Document, loader_of: type[_Loader] = _Loader) -> None:
    """Fill `document` with what a YAML text says.

    Raises
    ------
    ConfigError
        If the text is no YAML, holds a key twice, or is too large or too deep.
    """
    try:
        loader = loader_of(text)
    except yaml.YAMLError as error:  # characters that YAML does not allow
        raise document.error((), f"not valid YAML: {_in_one_line(error)}") from error
    try:
        node = loader.get_single_node()
        if node is not None:
            document.data = _build(loader, node, (), document, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        problem = f"not valid YAML: {error.problem or error.context}"
        raise document.error((), problem, mark.line + 1 if mark else None) from error
    except RecursionError:
        raise document.error((), "nested too deeply") from None
    except yaml.YAMLError as error:
        raise document.error((), f"not valid YAML: {_in_one_line(error)}") from error
    finally:
        loader.dispose()


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).replace('in "<unicode string>", ', "").split())


def _sibling(path: Path) -> str:
    if not path.parent.is_dir():
        return f" (no folder {path.parent})"
    near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _build(loader: _Loader, node: yaml.Node, at: Position, document: Document, parents: tuple[yaml.Node, ...]) -> Any:
    if any(node is p for p in parents):
        raise document.error(at, "the anchor refers to itself")
    if len(parents) > _DEEPEST:
        raise document.error((), "nested too deeply")
    if len(document.lines) > 100_000:
        raise document.error((), "more than 100 000 entries; large data belong into NetCDF or PFB files")
    document.lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
        written: set[Hashable] = set()
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = _scalar(loader, key_node, at, document)
            if not isinstance(key, Hashable):
                raise document.error(at, "a key must be a plain word")
            here = (*at, key)
            line = key_node.start_mark.line + 1
            if key_node in loader.written[node]:
                if key in written:
                    raise document.error(here, f"the key stands twice (again in line {line})")
                written.add(key)
            document.lines[here] = line
            result[key] = _build(loader, value_node, here, document, (*parents, node))
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, v, (*at, i), document, (*parents, node)) for i, v in enumerate(node.value)]
    return _scalar(loader, node, at, document)


def _scalar(loader: _Loader, node: yaml.Node, at: Position, document: Document) -> Any:
    try:
        return loader.construct_object(node)
    except (ValueError, KeyError, AttributeError, IndexError, TypeError, OverflowError) as error:
        # such as 2020-02-30, which looks like a date, or `!!int x`: PyYAML lets through whatever its constructors meet
        raise document.error(at, f"not valid YAML: {error}") from error


class Config(BaseModel):
    """Base of configuration models: keys that do nothing are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        known = [f.alias or n for n, f in cls.model_fields.items()]
        known += [n for n in cls.model_fields if n not in known]
        unknown = [key for key in data if key not in known]
        if not unknown:
            model = handler(data)
            _require_no_truths_for_numbers(model, data)
            return model
        # beside the other mistakes of the section, not in their place
        errors = [InitErrorDetails(type=_unknown_key(str(key), known), input=data[key]) for key in unknown]
        try:
            handler({key: value for key, value in data.items() if key in known})
        except ValidationError as error:
            errors += [_again(details) for details in error.errors(include_url=False)]
        raise ValidationError.from_exception_data(cls.__name__, errors)


def _require_no_truths_for_numbers(model: BaseModel, data: Mapping[Any, Any]) -> None:
    """Refuse ``true`` and ``yes`` where a number stands, which pydantic takes as 1."""
    errors = []
    for name, known in type(model).model_fields.items():
        given, value = data.get(known.alias or name, data.get(name)), getattr(model, name)
        several = isinstance(given, list) and isinstance(value, list | tuple) and len(given) == len(value)
        for at, (g, v) in enumerate(zip(given, value, strict=True) if several else [(given, value)]):
            if isinstance(g, bool) and isinstance(v, int | float) and not isinstance(v, bool):
                kind = PydanticCustomError("truth_for_number", "input should be a number")
                errors.append(InitErrorDetails(type=kind, loc=(name, at) if several else (name,), input=g))
    if errors:
        raise ValidationError.from_exception_data(type(model).__name__, errors)


_UNKNOWN_KEY: Final = "unknown_key"
_NO_FILE: Final = "no_file"


def _again(e: ErrorDetails) -> InitErrorDetails:
    kind: str | PydanticCustomError = e["type"]
    try:
        PydanticKnownError(e["type"], e.get("ctx"))  # type: ignore[arg-type]  # may be none of its literals
    except KeyError:  # no type of pydantic's core
        kind = PydanticCustomError(e["type"], e["msg"], e.get("ctx"))
    return InitErrorDetails(type=kind, loc=e["loc"], input=e["input"], ctx=e.get("ctx", {}))


def _unknown_key(key: str, known: Iterable[str]) -> PydanticCustomError:
    # here, not in `suggest`, because a list of all keys always helps in a configuration
    names = list(known)
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else "known keys: " + ", ".join(names)
    return PydanticCustomError(_UNKNOWN_KEY, "unknown key; {hint}", {"key": key, "hint": hint})


def require_names(*paths: Path | str | None) -> None:
    """Refuse, as `require_name` does, any of the paths that are given."""
    for path in paths:
        if path is not None:
            require_name(path)


def require_name(path: Path | str) -> None:
    """Refuse a name that libraries and records could not write down.

    Raises
    ------
    ConfigError
        Naming the path.
    """
    encoding = sys.getfilesystemencoding()
    try:
        str(Path(path).absolute()).encode(encoding)
        Path(path).lstat()
    except UnicodeEncodeError:
        remedy = "rename it" if encoding == "utf-8" else "rename it, or set PYTHONUTF8=1 or LC_ALL=C.UTF-8"
        raise ConfigError(
            f"{path}: the name cannot be written in {encoding}, the encoding of names of files here; {remedy}"
        ) from None
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # what that means is for the one who asks
    except (OSError, ValueError) as error:  # too long; a NUL character
        raise ConfigError(f"{_shown(str(path))}: is no name of a file: {error.args[-1]}") from error


def _resolve(path: Path, info: ValidationInfo) -> Path:
    require_name(path)
    base = (info.context or {}).get("base")
    try:
        return path if base is None else (base / path.expanduser())
    except RuntimeError as error:  # ~name of nobody
        raise ValueError(f"{path}: {error}") from None


def _is_there(path: Path) -> bool:
    try:
        return path.is_file() or path.is_dir()  # devices and pipes would be read without end
    except OSError:  # a name that is too long
        return False


def _must_exist(path: Path, info: ValidationInfo) -> Path:
    resolved = _resolve(path, info)
    if not _is_there(resolved):
        raise PydanticCustomError(
            _NO_FILE, "no such file: {file}{hint}", {"file": str(resolved), "hint": _sibling(resolved)}
        )
    return resolved


# a record is read again from other folders
_absolute = PlainSerializer(lambda path: str(path.resolve()), return_type=str, when_used="json")

ConfigPath = Annotated[Path, AfterValidator(_must_exist), _absolute]
"""An existing file or folder, relative to the file that names it."""

OutputPath = Annotated[Path, AfterValidator(_resolve), _absolute]
"""A path that need not exist yet, relative to the file that names it."""

Threads = Annotated[int, Field(ge=1, le=1024)]
"""A number of threads; the libraries below take what C's `int` holds and then ask the machine for as many."""


def _no_number(value: Any) -> Any:
    # pydantic would count the seconds from 1970
    if isinstance(value, int | float) or (isinstance(value, str) and re.fullmatch(r"\s*[-+]?[\d_.]+\s*", value)):
        raise ValueError(f"expected a date such as 2019-10-01T00:00, got {_shown(value)}")
    return value


CalendarTime = Annotated[datetime, BeforeValidator(_no_number)]
"""A date, with or without the time of day."""

M = TypeVar("M", bound=BaseModel)


def load_config(path: Path, model: type[M], ignore: Iterable[str] = ()) -> M:
    """Read a component's YAML file into `model`.

    Some keys are understood in every file. ``paths: {name: folder}`` names folders, relative to the file, which
    the file and those that it names may use as ``${name}``; ``relative_to: folder`` makes the file's relative
    paths start there instead of in the file's own folder.

    Parameters
    ----------
    path : Path
        The YAML file.
    model : type
        pydantic model of its content.
    ignore : iterable of str
        Top-level keys that belong to other components and are passed over.

    Raises
    ------
    ConfigError
        For a file that cannot be read and for the first few invalid entries, with file, line and key.
    """
    return validate(read_yaml(Path(path)), model, paths={}, ignore=ignore)


def validate(document: Document, model: type[M], paths: Mapping[str, Path], ignore: Iterable[str] = ()) -> M:
    """Validate a document's data; `paths` are named folders that take precedence over the document's own."""
    data = document.data
    if data is None:
        raise ConfigError(f"{document.path}: the file is empty")
    if not isinstance(data, Mapping):
        raise ConfigError(f"{document.path}: expected keys and values at the top, got {type(data).__name__}")
    base, named = folders(document, paths)
    skipped = {*_META_KEYS, *ignore} - set(model.model_fields)
    content = {k: substitute(v, named, document, (k,)) for k, v in data.items() if k not in skipped}
    try:
        return model.model_validate(content, context={"base": base, "paths": named})
    except ValidationError as error:
        raise together(_mistakes(error, document)) from None


def folders(document: Document, outer: Mapping[str, Path]) -> tuple[Path, dict[str, Path]]:
    """Return the folder that relative paths of a document start from, and its named folders."""
    data = document.data if isinstance(document.data, Mapping) else {}
    base = document.path.parent
    if data.get("relative_to") is not None:
        base = _folder(base, data["relative_to"], ("relative_to",), document)
    own = data.get("paths") or {}
    if not isinstance(own, Mapping):
        raise document.error(("paths",), "expected names and folders, such as {data: ../data}")
    named = {str(name): _folder(base, folder, ("paths", name), document) for name, folder in own.items()}
    return base, {**named, **outer}


def _folder(base: Path, name: Any, at: Position, document: Document) -> Path:
    if not isinstance(name, str):
        raise document.error(at, f"expected the name of a folder, got {_shown(name)}")
    try:
        return (base / name).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a NUL character
        raise document.error(at, f"is no name of a folder: {error}") from None


def substitute(value: Any, named: Mapping[str, Path], document: Document, at: Position) -> Any:
    """Replace ``${name}`` in every text of `value` by the named folder."""
    if isinstance(value, Mapping):
        return {k: substitute(v, named, document, (*at, k)) for k, v in value.items()}
    if isinstance(value, list):
        return [substitute(v, named, document, (*at, i)) for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def folder(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in named:
            known = ", ".join(named) or "none"
            raise document.error(at, f"${{{name}}} is not named under `paths:` (named: {known})")
        return str(named[name])

    return _VARIABLE.sub(folder, value)


_EXPECTED = {
    "path_type": "the name of a file or folder",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "dict_type": "keys and values",
}
"""What pydantic says in the language of Python, by its type of error."""

_OF_ONE_VALUE = ("int_type", "float_type", "bool_type", "string_type")

_OF_TIMES = ("datetime_parsing", "datetime_from_date_parsing")

_ENUM_MEMBER = re.compile(r"<\w+\.\w+: ('[^']*')>")


def _discriminator(error: ErrorDetails) -> tuple[str, ...]:
    key = error.get("ctx", {}).get("discriminator", "")
    return (str(key).strip("'"),) if key else ()


def _mistakes(invalid: ValidationError, document: Document, limit: int = 20) -> list[ConfigError]:
    told: list[tuple[int, ConfigError]] = []
    found = invalid.errors(include_url=False)
    for e in found:
        if e["type"] == "too_short" and any(
            other["loc"][: len(e["loc"])] == e["loc"] != other["loc"] for other in found
        ):
            continue  # pydantic does not count the entries that are wrong
        position = tuple(p for p in e["loc"])
        message = e["msg"]
        if e["type"] == _UNKNOWN_KEY:
            position = (*position, e["ctx"]["key"])
        elif e["type"] in ("missing", "union_tag_not_found"):
            position = (*position, *_discriminator(e))
            message = "this key is missing"
        elif e["type"] == "union_tag_invalid":
            position = (*position, *_discriminator(e))
            message = f"expected one of {e['ctx']['expected_tags']}, got {_shown(e['ctx']['tag'])}"
        elif e["type"] in _EXPECTED:
            message = f"expected {_EXPECTED[e['type']]}, got {_shown(e['input'])}"
        elif e["type"] in _OF_TIMES:
            reason = e.get("ctx", {}).get("error", "not a time")
            message = f"{_shown(e['input'])} is not a time ({reason}); write it as 2019-10-01T03:00"
        elif e["type"] == "too_short":
            least, length = e["ctx"]["min_length"], e["ctx"]["actual_length"]
            message = f"needs {least} or more entries, has {length or 'none'}"
        elif e["type"] in ("value_error", "assertion_error"):
            message = str(e["ctx"]["error"])
        elif e["type"] != _NO_FILE and not isinstance(e["input"], Mapping | list):
            message = f"{message[0].lower()}{message[1:]}, got {_shown(e['input'])}"
        elif isinstance(e["input"], list) and e["type"] in _OF_ONE_VALUE:
            message = f"{message[0].lower()}{message[1:]}, got a list"
        message = _ENUM_MEMBER.sub(r"\1", message)
        at = _in_document(position, document)
        error = e.get("ctx", {}).get("error")
        if isinstance(error, _InNamedFile):
            told += [(document.line(at) or 0, m) for m in error.mistakes]
            continue
        own = error.mistakes if isinstance(error, ConfigError) else (ConfigError(message),)
        errors = [document.error(at, str(m)) if at else document.located(m) for m in own]
        told += [(m.line or 0, m) for m in errors]
    in_order = sorted(told, key=lambda entry: entry[0])  # as a user reads the file
    result = list({str(m): m for _, m in in_order}.values())
    if len(result) > limit:
        result = [*result[:limit], ConfigError(f"and {len(result) - limit} more", file=document.path)]
    return result


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}…"


def _in_document(position: Position, document: Document) -> Position:
    # pydantic puts union tags and validator names into the location; keep what the file has, and the last key
    kept: Position = ()
    for i, part in enumerate(position):
        is_last = i == len(position) - 1
        if document.has((*kept, part)) or (is_last and not _is_tag(part)):
            kept = (*kept, part)
    return kept


_TAGS = ("constrained-", "function-", "lax-or-", "literal[", "tagged-union")
"""How names of members of a union begin in pydantic's locations, where they are no names of types."""


def _is_tag(part: Hashable) -> bool:
    if not isinstance(part, str):
        return False
    named = part in ("str", "float", "int", "bool", "Field", "FieldConfig")
    return named or "[" in part or part.startswith(_TAGS)


class _InNamedFile(ConfigErrors):
    """Mistakes in a file that another one names; they name it, so that all who read it say the same of it."""


def load_nested(path: Path, model: type[M], info: ValidationInfo) -> M:
    """Read a file that a configuration names, such as the domain, with the named folders of the outer file."""
    context = info.context or {}
    document = read_yaml(path)
    try:
        return validate(document, model, paths=context.get("paths", {}))
    except ConfigError as error:
        raise _InNamedFile(error.mistakes) from None
