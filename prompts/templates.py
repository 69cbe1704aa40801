"""Templates: Markdown files `name.vN.md` that declare their variables and are filled strictly.

A file begins with its declarations (`name: facts | untrusted | words`) between two lines `---`,
followed by `# System` and `# User`. `{{name}}` stands for a value; nothing else is interpreted.
A variable that is missing, unknown, of another kind or declared without use is an error, and so
is every stray brace. Values are filled in one pass, so a value is never read as a template.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from prompts.enclosure import Untrusted, token_of
from prompts.values import Value, kind_of, text_of
from tools.errors import BadInput
from tools.llm.calls import Prompt

FOLDER = Path(__file__).parent
KINDS = ("facts", "untrusted", "words")
_FILE = re.compile(r"(?P<name>[a-z][a-z_]*)\.v(?P<version>[1-9][0-9]*)\.md")
_LAYOUT = re.compile(
    r"---\n(?P<head>.*?)---\n\s*# System\n(?P<system>.*?)\n# User\n(?P<user>.*)", re.S
)
_VARIABLE = re.compile(r"\{\{([a-z][a-z_]*)\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One version of a prompt as it stands on disk; `digest` is the SHA-256 of its file."""

    name: str
    version: int
    digest: str
    variables: Mapping[str, str]
    system: str
    user: str

    @property
    def id(self) -> str:
        """`name.vN`."""
        return f"{self.name}.v{self.version}"


def released() -> tuple[tuple[str, int], ...]:
    """(name, version) of every template there is, sorted."""
    found = []
    for path in FOLDER.glob("*.md"):
        match = _FILE.fullmatch(path.name)
        if match is None:
            raise BadInput(f"{path} is not a template: name it NAME.vN.md")
        found.append((match["name"], int(match["version"])))
    return tuple(sorted(found))


@lru_cache(maxsize=64)
def load(name: str, version: int, folder: Path = FOLDER) -> Template:
    """Read a template; BadInput names the file and what is wrong with it."""
    path = folder / f"{name}.v{version}.md"
    if not path.is_file():
        raise BadInput(f"there is no prompt {name}.v{version} in {folder}")
    data = path.read_bytes()
    layout = _LAYOUT.fullmatch(data.decode("utf-8"))
    if layout is None:
        raise BadInput(f"{path} must be declarations between ---, then # System, then # User")
    template = Template(
        name=name,
        version=version,
        digest=hashlib.sha256(data).hexdigest(),
        variables=_declared(path, layout["head"]),
        system=layout["system"].strip(),
        user=layout["user"].strip(),
    )
    _check_body(path, template)
    return template


def _declared(path: Path, head: str) -> dict[str, str]:
    declared: dict[str, str] = {}
    for line in head.splitlines():
        name, _, kind = (part.strip() for part in line.partition(":"))
        if kind not in KINDS or not re.fullmatch(r"[a-z][a-z_]*", name) or name in declared:
            raise BadInput(f"{path}: {line!r} must declare a new variable as {', '.join(KINDS)}")
        declared[name] = kind
    return declared


def _check_body(path: Path, template: Template) -> None:
    if "{{" in template.system or "}}" in template.system:
        raise BadInput(f"{path}: the system part is the same in every call; move it to # User")
    used = set(_VARIABLE.findall(template.user))
    if used != set(template.variables):
        raise BadInput(
            f"{path}: declared and used variables differ: {sorted(used ^ set(template.variables))}"
        )
    rest = _VARIABLE.sub("", template.user)
    if "{{" in rest or "}}" in rest:
        raise BadInput(f"{path}: braces that are not a variable")


def render(name: str, version: int, values: Mapping[str, Value]) -> Prompt:
    """Fill a template. BadInput for a missing or unknown variable, or a value of another kind."""
    return fill(load(name, version), values)


def fill(template: Template, values: Mapping[str, Value]) -> Prompt:
    """Fill a template that was loaded; see `render`."""
    if missing := sorted(template.variables.keys() - values.keys()):
        raise BadInput(f"{template.id}: missing {', '.join(missing)}")
    if unknown := sorted(values.keys() - template.variables.keys()):
        raise BadInput(f"{template.id}: unknown {', '.join(unknown)}")
    for name, kind in template.variables.items():
        if kind_of(values[name]) != kind:
            raise BadInput(f"{template.id}: {name} must be {kind}, not {kind_of(values[name])}")
    token = _token(template, values)
    try:
        texts = {name: text_of(name, value, token) for name, value in values.items()}
    except ValueError as error:
        raise BadInput(f"{template.id}: {error}") from error
    return Prompt(
        id=template.name,
        version=template.version,
        system=template.system,
        text=_VARIABLE.sub(lambda match: texts[match[1]], template.user),
    )


def _token(template: Template, values: Mapping[str, Value]) -> str:
    parts = [template.digest]
    for name in sorted(values):
        value = values[name]
        if isinstance(value, Untrusted):
            parts += [name, *value.lines(), value.empty]
        else:
            parts += [name, value if isinstance(value, str) else value.text()]
    return token_of(parts)
