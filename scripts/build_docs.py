"""Build the documentation site into ``build/site``: guides, reference and changelog, without warnings.

The site's source mirrors the checkout, so the links of the pages are those that GitHub shows. The reference is read
from the source (mkdocstrings), without importing it. Afterwards every link of every page is followed.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
SOURCE, SITE = BUILD / "site-source", BUILD / "site"
CONFIGURATION = ROOT / "docs" / "zensical.toml"

#: Pages and what they link to: files are copied as they are.
COPIED = (
    "*.md",
    "LICENSE",
    "demo/dags/*.py",
    "docs/**/*.md",
    "docs/grafana-dashboard.json",
    "docs/pictures/*",
    "example_dags/*.py",
    "local_sops/*.md",
)

#: The pages of the reference: a title, and the modules whose public classes and functions are on it.
REFERENCE = {
    "operators": ("Operators", "airflow_provider_sops.operators.sops"),
    "sensors": ("Sensors", "airflow_provider_sops.sensors.sops"),
    "dag-generator": ("Flows as DAGs", "airflow_provider_sops.dag_generator"),
    "bundles": ("DAG bundles", "airflow_provider_sops.bundles.sops"),
    "hook": ("Hook", "airflow_provider_sops.hooks.sops"),
    "calls-that-create": ("Calls: creating tasks", "airflow_provider_sops.sops.calls.creation"),
    "calls-of-tasks": ("Calls: tasks", "airflow_provider_sops.sops.calls.tasks"),
    "calls-of-nodes": ("Calls: nodes", "airflow_provider_sops.sops.calls.nodes"),
    "calls-of-templates": ("Calls: templates", "airflow_provider_sops.sops.calls.templates"),
    "calls-of-schedules": ("Calls: schedules", "airflow_provider_sops.sops.calls.schedules"),
    "calls-of-projects": ("Calls: projects", "airflow_provider_sops.sops.calls.projects"),
    "models": ("What calls return", "airflow_provider_sops.sops.models"),
    "errors": ("Errors", "airflow_provider_sops.sops.errors"),
    "triggers": ("Triggers", "airflow_provider_sops.triggers.sops"),
    "links": ("Links", "airflow_provider_sops.links.sops"),
    "notifications": ("Notifications", "airflow_provider_sops.notifications.sops"),
    "enos-operators": ("EnOS: operators", "airflow_provider_sops.operators.enos"),
    "enos-sensors": ("EnOS: sensors", "airflow_provider_sops.sensors.enos"),
    "enos-triggers": ("EnOS: triggers", "airflow_provider_sops.triggers.enos"),
    "enos-hook": ("EnOS: hook", "airflow_provider_sops.hooks.enos"),
    "enos-models": ("EnOS: what calls return", "airflow_provider_sops.enos.models"),
    "enos-errors": ("EnOS: errors", "airflow_provider_sops.enos.errors"),
}

#: What else is on a page: base classes that document most of the parameters, and classes that nobody imports.
ALSO = {
    "operators": (
        "airflow_provider_sops.operators.sops.create.SopsTemplateOperator",
        "airflow_provider_sops.operators.sops.base.SopsBaseOperator",
    ),
    "dag-generator": ("airflow_provider_sops.dag_generator.converters.NodeInput",),
}

#: The guides that somebody reads first, in this order; the menu has all others after them.
FIRST_GUIDES = (
    "walk-through",
    "connection",
    "running-a-flow",
    "watching-a-flow",
    "ui",
    "flows-as-dags",
    "moving-a-flow-to-airflow",
    "converters",
    "scheduled-batch-chains",
    "asset-watcher",
    "command-line",
    "production",
    "servers",
    "enos",
)
#: Pages about the project itself.
ABOUT = ("docs/architecture.md", "docs/benchmarks.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")


class Page(HTMLParser):
    """The anchors of a page, and where it leads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element in."""
        values = dict(attrs)
        self.anchors.update(value for name in ("id", "name") if (value := values.get(name)))
        link = values.get("href" if tag in ("a", "link") else "src")
        if link:
            self.links.append(link)


def public_names(module: str) -> list[str]:
    """Return the public classes and functions of a module: its ``__all__``, or else those that it defines."""
    path = ROOT / module.replace(".", "/")
    tree = ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return list(ast.literal_eval(node.value))
    kinds = (ast.ClassDef, ast.FunctionDef)
    return [node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]


def write_source() -> None:
    """Put the pages of the site together."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    for pattern in COPIED:
        for path in ROOT.glob(pattern):
            target = SOURCE / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    (SOURCE / "README.md").rename(SOURCE / "index.md")
    examples = "".join(f"- [{path.name}]({path.name})\n" for path in sorted((SOURCE / "example_dags").glob("*.py")))
    (SOURCE / "example_dags" / "index.md").write_text(f"# Example DAGs\n\n{examples}", encoding="utf-8")
    for page in SOURCE.glob("*.md"):
        text = page.read_text(encoding="utf-8").replace("](example_dags)", "](example_dags/index.md)")
        page.write_text(text.replace("](README.md", "](index.md"), encoding="utf-8")
    folder = SOURCE / "reference"
    folder.mkdir()
    for name, (title, module) in REFERENCE.items():
        names = (*(f"{module}.{each}" for each in public_names(module)), *ALSO.get(name, ()))
        entries = "\n".join(f"::: {each}\n" for each in names)
        (folder / f"{name}.md").write_text(f"# {title}\n\n`{module}`\n\n{entries}", encoding="utf-8")


def menu() -> dict[str, list[str]]:
    """Return the pages of the site, apart from the first one, by the headings of the menu."""

    def order(path: Path) -> tuple[int, str]:
        first = path.stem in FIRST_GUIDES
        return FIRST_GUIDES.index(path.stem) if first else len(FIRST_GUIDES), path.stem

    guides = [f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"), key=order)]
    chinese = [f"docs/zh/{path.name}" for path in sorted((ROOT / "docs/zh").glob("*.md"), key=order)]
    return {
        "Guides": [*(each for each in guides if each not in ABOUT), "local_sops/README.md"],
        "Reference": [f"reference/{name}.md" for name in REFERENCE],
        "About": list(ABOUT),
        "中文": ["README.zh-CN.md", *chinese, "local_sops/README.zh-CN.md"],
    }


def configuration() -> str:
    """Return the configuration with the menu."""
    pages = "".join(f'    {{ "{name}" = {json.dumps(paths)} }},\n' for name, paths in menu().items() if paths)
    nav = f'nav = [\n    {{ "Home" = "index.md" }},\n{pages}]\n'
    return CONFIGURATION.read_text(encoding="utf-8").replace("[project]\n", f"[project]\n{nav}", 1)


def dead_links() -> list[str]:
    """Return the links of the built site that lead nowhere within it."""
    pages = {path: Page(path) for path in SITE.rglob("*.html")}
    dead = []
    for path, page in pages.items():
        for link in page.links:
            address = urlsplit(link)
            if address.scheme or address.netloc or path.name == "404.html":
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            target = target / "index.html" if target.is_dir() else target
            is_dead = not target.is_file()
            if is_dead or (
                address.fragment and target in pages and unquote(address.fragment) not in pages[target].anchors
            ):
                dead.append(f"{path.relative_to(SITE)}: {link}")
    return dead


def main() -> int:
    """Build the site; return 1 if there is a warning or a dead link."""
    write_source()
    program = str(Path(sys.executable).with_name("zensical"))
    (BUILD / "zensical.toml").write_text(configuration(), encoding="utf-8")
    done = subprocess.run([program, "build", "--strict", "--clean"], cwd=BUILD, check=False)
    if done.returncode:
        return 1
    dead = dead_links()
    for link in dead:
        print(f"dead link: {link}")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
