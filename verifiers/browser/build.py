"""Joins the modules of the browser's verifier into one page that loads nothing: ``build.py [OUT]``."""

import base64
import hashlib
import re
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
CHECKOUT: Final = HERE.parents[1]
IMPORT: Final = re.compile(r'^import \{([^}]*)\} from "\./([a-z0-9]+)\.js";\n', re.MULTILINE)
DECLARED: Final = re.compile(r"^export ((?:async )?(?:function\*?|class|const) )(\w+)", re.MULTILINE)
LISTED: Final = re.compile(r"^export \{([^}]*)\};\n", re.MULTILINE)


def modules(name: str, found: dict[str, str] | None = None) -> dict[str, str]:
    """Return the text of a module and all it imports, each after those it needs."""
    found = {} if found is None else found
    if name not in found:
        text = (HERE / f"{name}.js").read_text(encoding="utf-8")
        for _, needed in IMPORT.findall(text):
            modules(needed, found)
        found[name] = text
    return found


def renamed(names: str, word: str) -> str:
    """Turn a list of names, some as `a as b`, into the members of an object."""
    parts = (re.split(r"\s+as\s+", name.strip()) for name in names.split(",") if name.strip())
    return ", ".join(part[0] if len(part) == 1 else word.format(*part) for part in parts)


def wrapped(name: str, text: str) -> str:
    """Make a function of a module, so that its names stay its own."""
    exports = [found[1] for found in DECLARED.findall(text)]
    listed = [renamed(names, "{1}: {0}") for names in LISTED.findall(text)]
    text = LISTED.sub("", text)
    text = IMPORT.sub(lambda found: f"const {{ {renamed(found[1], '{0}: {1}')} }} = of_{found[2]};\n", text)
    text = DECLARED.sub(r"\1\2", text)
    if re.search(r"^(import|export)\b", text, re.MULTILINE):
        raise SystemExit(f"{name}.js: an import or export that this script does not understand")
    return f"const of_{name} = (() => {{\n{text}\nreturn {{ {', '.join([*exports, *listed])} }};\n}})();\n"


def allowed(text: str) -> str:
    """Name an inline script or style to the Content-Security-Policy by its hash."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def page() -> str:
    """Return the whole page."""
    script = '"use strict";\n' + "".join(wrapped(name, text) for name, text in modules("page").items())
    if "</script" in script or "<!--" in script:
        raise SystemExit("the script would end the element it stands in")
    style = (HERE / "page.css").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src {allowed(script)} 'wasm-unsafe-eval'; style-src {allowed(style)}; "
        "worker-src blob:; base-uri 'none'; form-action 'none'"
    )
    text = (HERE / "page.html").read_text(encoding="utf-8")
    for name, value in {"POLICY": policy, "STYLE": style, "SCRIPT": script}.items():
        text = text.replace("{{" + name + "}}", value)
    return text


if __name__ == "__main__":
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else CHECKOUT / "dist" / "audit-verify.html"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page(), encoding="utf-8")
