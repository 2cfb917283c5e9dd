"""Where things lie: the registry and printed numbers, the records, the caches.

Environment variables, all optional:

- `NASREPRO_MIRROR`: folder with raw benchmark files, or several as in `PATH`, tried before any download.
- `NASREPRO_CACHE`: folder for downloaded files and for tables built from them.
- `NASREPRO_RUNS`: folder for the records of your own runs.
- `NASREPRO_NB301_MODELS`: folder with the official NAS-Bench-301 ensemble
  (`nasrepro.benchmarks.surrogates.nb301_ensemble`).
- `NASREPRO_IMAGENET`: folder with ImageNet, `train` and `val` (`nasrepro.classification.folder`).
"""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def checkout() -> Path | None:
    """Return the root of the source checkout that this package is imported from, or None when it was installed as a
    wheel."""
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / "data").is_dir() else None


def data_dir() -> Path:
    """Return the folder `data/`: registry of benchmark files, the papers' printed numbers, committed records."""
    root = checkout()
    return root / "data" if root else _PACKAGE / "_data"


def mirror_dirs() -> list[Path]:
    """Return the mirror folders named by `NASREPRO_MIRROR`, in the order in which they are searched."""
    return [Path(name).expanduser() for name in os.environ.get("NASREPRO_MIRROR", "").split(os.pathsep) if name]


def cache_dir() -> Path:
    """Return the cache folder: `NASREPRO_CACHE`, else `nasrepro` under the XDG cache folder."""
    if value := os.environ.get("NASREPRO_CACHE"):
        return Path(value).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".cache") / "nasrepro"


def runs_dir() -> Path:
    """Return the folder of local runs: `NASREPRO_RUNS`, else `runs/` in the checkout, else `runs/` in the current
    folder."""
    if value := os.environ.get("NASREPRO_RUNS"):
        return Path(value).expanduser()
    return (checkout() or Path.cwd()) / "runs"


def records_dir() -> Path:
    """Return the folder of committed (reference) records: `NASREPRO_RECORDS`, else `data/records`."""
    if value := os.environ.get("NASREPRO_RECORDS"):
        return Path(value).expanduser()
    return data_dir() / "records"
