"""What the papers print, from `data/paper/`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from nasrepro.files import paths

if TYPE_CHECKING:
    import pandas as pd

_TEXTS = {"mark": str, "note": str, "percentiles": str}


@lru_cache
def printed(name: str) -> pd.DataFrame:
    """Return a file of `data/paper/`, e.g. `dinas_table4`; not to be changed.

    Marks and notes are "" where there are none; numbers that are not printed are NaN.
    """
    import pandas as pd

    frame = pd.read_csv(paths.data_dir() / "paper" / f"{name}.csv", dtype=_TEXTS)
    return frame.fillna({column: "" for column in ("mark", "note") if column in frame})


def hardware_settings() -> list[tuple[str, int]]:
    """Return the twelve settings of Table 4 of DiNAS, device and bound in ms, in the order of the paper."""
    frame = printed("dinas_table4")[["device", "latency_ms"]].drop_duplicates()
    return [(str(device), int(bound)) for device, bound in frame.itertuples(index=False)]
