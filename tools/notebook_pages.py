"""A hook of mkdocs that makes a page of every notebook in the documentation, with the outputs that it holds."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_LINK = re.compile(r"(\]\([^)\s]+)\.ipynb(?=[)#])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page, and its figures, for each notebook."""
    for file in list(files):
        if file.src_uri.endswith(".ipynb"):
            stem = file.src_uri.removesuffix(".ipynb")
            content = json.loads(Path(config.docs_dir, file.src_uri).read_text(encoding="utf-8"))
            page, figures = as_markdown(content, Path(stem).name)
            files.append(File.generated(config, f"{stem}.md", content=page))
            for name, figure in figures.items():
                files.append(File.generated(config, f"{Path(stem).parent.as_posix()}/{name}", content=figure))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let links to notebooks lead to their pages."""
    return _LINK.sub(r"\1.md", markdown)


def as_markdown(notebook: dict[str, Any], name: str) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as Markdown, and its figures by the names of their files.

    Parameters
    ----------
    notebook : dict
        Content of the ``.ipynb``.
    name : str
        Name of the notebook, which that of each figure begins with.
    """
    parts: list[str] = []
    figures: dict[str, bytes] = {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        language = "console" if source.startswith("!") else "python"
        parts.append(f"```{language}\n{source}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "image/png" in data:
                file = f"{name}_{len(figures) + 1}.png"
                figures[file] = base64.b64decode("".join(data["image/png"]))
                parts.append(f"![figure {len(figures)}]({file})")
            elif "text/markdown" in data:
                parts.append("".join(data["text/markdown"]))
            else:
                text = "".join(output.get("text") or data.get("text/plain", ""))
                parts.append(f"```text\n{text.rstrip()}\n```")
    title, *rest = parts
    download = f'<a href="{name}.ipynb" download>The notebook itself</a>, to run and to change.'
    return "\n\n".join([title, download, *rest]) + "\n", figures
