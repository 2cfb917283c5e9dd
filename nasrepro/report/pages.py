"""The generated parts of the book's pages, one function per kind of part, each from finished records."""

from __future__ import annotations

import html
from collections.abc import Sequence

import pandas as pd

from nasrepro.files import paths
from nasrepro.files.storage import read_yaml
from nasrepro.report import cards
from nasrepro.report import overview as tables
from nasrepro.report import search_figures as figures
from nasrepro.report.delta import theorems as theory_tables
from nasrepro.report.dinas import table_1_2 as search_tables
from nasrepro.report.dinas import table_4 as constraint_table
from nasrepro.report.fragments import Fragments, command, plain_table, provenance, raw, table
from nasrepro.runs import records
from nasrepro.runs.plan import select
from nasrepro.runs.printed import hardware_settings
from nasrepro.runs.records import Run

_DETAILED = 12  # local runs that get a section of their own; the overview lists all


def search(out: Fragments, name: str, run: Run | None, committed: Sequence[Run]) -> None:
    """Write Table 1, or the part of Table 2 of one data set, with the searches rerun and the figures of its run."""
    known = [record for _, record in committed]
    rerun = search_tables.baselines(name, known)
    record = run[1] if run else None
    parts, ids = [table(name, search_tables.search_table(name, record, rerun))], [f"table-{name}"]
    if rerun is not None:
        parts.append(table(f"{name}-labels", search_tables.efficiency_table(name, record, rerun)))
        ids.append(f"table-{name}-labels")
    spec = search_tables.TABLES[name]
    if run is None:
        parts += ["There is no committed record for this table yet. This makes one of your own:", command(spec.command)]
    else:
        more, more_ids = _figures(out, name, spec.title, run)
        parts += [provenance(run[1]), *more]
        ids += more_ids
    if rerun is not None:
        parts += ["The searches rerun:", provenance(rerun)]
    out.write(name, parts, ids)


def constraints(out: Fragments, committed: Sequence[Run]) -> None:
    """Write Table 4: accuracies, feasibility, and where the numbers come from."""
    known = [r for _, r in committed]
    for field in ("val", "feasibility"):
        content = constraint_table.constraint_table(known, field)
        out.write(f"hw-{field}", [table(f"hw-{field}", content)], [f"table-hw-{field}"])
    more = {
        "hw-joint": (constraint_table.joint_table, "nasrepro run hw_joint --profile laptop"),
        "hw-energy": (
            constraint_table.energy_table,
            "nasrepro run hw -p device=edgegpu -p latency=4 -p energy=10 --profile laptop",
        ),
    }
    for name, (make, again) in more.items():
        out.write(name, [table(name, make(known)), command(again)], [f"table-{name}"])
    trials = constraint_table.trial_table(known)
    out.write("hw-trials", [table("hw-trials", trials)], ["table-hw-trials"])
    shown = [r for d, b in hardware_settings() if (r := constraint_table.record_of(d, b, known)) is not None]
    parts = [provenance(record) for record in shown[:1]]
    commands = [
        f"nasrepro run hw -p device={device} -p latency={bound} --profile laptop"
        for device, bound in hardware_settings()
    ]
    parts += ["Every row has a command of its own:", command("\n".join(commands))]
    out.write("hw-commands", parts)


def card(out: Fragments, name: str, committed: Sequence[Run]) -> None:
    """Write the data card of a benchmark from its newest committed record."""
    found = select(f"card.{name}", committed)
    if found is None:
        repeat = command(f"nasrepro run card -p benchmark={name}")
        out.write(f"card-{name}", ["There is no committed card yet. This makes one:", repeat])
        return
    folder, record = found
    parts = [cards.space_line(record), table(f"card-{name}", cards.columns_table(folder, record, proxies=False))]
    ids = [f"table-card-{name}", f"figure-card-{name}", f"table-card-{name}-files"]
    caption = f"{record.metrics['title']}: how the values are distributed; dashed, the best."
    parts.append(out.figure(f"card-{name}", cards.distributions(folder, record), caption))
    facts = cards.facts_table(record)
    if facts is not None:
        parts.append(table(f"card-{name}-facts", facts))
        ids.append(f"table-card-{name}-facts")
    proxies = cards.columns_table(folder, record, proxies=True)
    if proxies.rows:
        parts.append(table(f"card-{name}-proxies", proxies))
        ids.append(f"table-card-{name}-proxies")
    for heading, key in (("Known defects", "defects"), ("What it cannot answer", "cannot_answer")):
        if record.metrics[key]:
            parts += [f"## {heading}", cards.bullets(record.metrics[key])]
    parts += ["## Files", table(f"card-{name}-files", cards.files_table(record)), provenance(record)]
    out.write(f"card-{name}", parts, ids)


def theory(out: Fragments, committed: Sequence[Run]) -> None:
    """Write the theorems of Delta-NAS beside what was counted."""
    found = select("delta.theory", committed)
    if found is None:
        out.write("theory", ["There is no committed record yet. This makes one:", command("nasrepro run theory")])
        return
    folder, record = found
    caption = "Sizes of a space against its number of places."
    parts = [
        table("theory", theory_tables.theorem_rows(folder, record)),
        out.figure("theory-growth", theory_tables.growth_figure(folder, record), caption),
        provenance(record),
    ]
    out.write("theory", parts, ["table-theory", "figure-theory-growth"])


def runs(out: Fragments, own: Sequence[Run], broken: Sequence[str], committed: Sequence[Run]) -> None:
    """Write the page of runs: yours with what they found, then those committed with the book."""
    parts, ids = ["## Your runs"], []
    parts += [f"```{{warning}}\n{line}\n```" for line in broken]
    if own:
        parts.append(table("own-runs", tables.runs_overview([r for _, r in own])))
        ids.append("table-own-runs")
    else:
        parts += ["There are none on this machine yet. This makes one, in a few minutes on two CPU cores:",
                  command("nasrepro run nb201 -p dataset=cifar100 --profile laptop\nnasrepro book")]  # fmt: skip
    for run in own[:_DETAILED]:
        _run_section(out, run, parts, ids)
    parts.append("## Committed runs")
    if committed:
        parts.append(table("committed-runs", tables.runs_overview([r for _, r in committed])))
        ids.append("table-committed-runs")
    else:
        parts.append("There are none yet.")
    for _, record in committed:
        _details(f"ref-{record.key}", record, parts, ids)
    out.write("runs", parts, ids)


def _run_section(out: Fragments, run: Run, parts: list[str], ids: list[str]) -> None:
    """Add what one of your runs found: its result beside the printed one, its figures, and where it comes from."""
    record = run[1]
    name, of_table = f"own-{record.key}", search_tables.name_of(record)
    title = search_tables.TABLES[of_table].title if of_table else record.experiment
    parts.append(f"### {title}, {record.profile}, {record.created[:10]}, {record.key[:8]}")
    if of_table is not None:
        more, more_ids = _figures(out, name, title, run, loss=True)
        parts += [table(f"{name}-result", search_tables.search_table(of_table, record)), *more]
        ids += [f"table-{name}-result", *more_ids]
    parts.append(provenance(record))
    _details(name, record, parts, ids)


def _figures(out: Fragments, name: str, title: str, run: Run, *, loss: bool = False) -> tuple[list[str], list[str]]:
    """Return the figures of one run as MyST, and their ids."""
    folder, record = run
    parts = [
        out.figure(f"{name}-curve", figures.best_so_far(folder), f"{title}: best accuracy so far against queries.")
    ]
    ids = [f"figure-{name}-curve"]
    if record.experiment == "nb201":
        caption = f"{title}: the best cells that DiNAS found."
        parts.append(out.figure(f"{name}-cells", figures.best_cells(folder), caption))
        ids.append(f"figure-{name}-cells")
    if loss:
        parts.append(out.figure(f"{name}-loss", figures.loss_curve(folder), f"{title}: training loss."))
        ids.append(f"figure-{name}-loss")
    return parts, ids


def _details(name: str, record: records.Record, parts: list[str], ids: list[str]) -> None:
    """Add the whole provenance of a run, folded away."""
    summary = f"Everything about run <code>{record.key}</code>"
    parts += [raw(f'<details class="nr-details"><summary>{summary}</summary>'), table(name, tables.run_table(record))]
    parts.append(raw("</details>"))
    ids.append(f"table-{name}")


def data_files(out: Fragments) -> None:
    """Write the registry of benchmark files as a table, and whom to cite."""
    registry = read_yaml(paths.data_dir() / "registry.yml")
    rows = [
        {
            "File": f"<code>{html.escape(f['name'])}</code>",
            "What": html.escape(f["what"]),
            "Source": _link(f["url"], f.get("package") or "/".join(f["url"].split("/")[3:5])),
            "Licence": html.escape(f["licence"]),
            "Size": f"{f['bytes'] / 1e6:.1f} MB",
            "Checksum": f"<code>{(f.get('sha256') or f['git_blob'])[:12]}</code>",
        }
        for f in registry["files"]
    ]
    cited = "\n".join(f"- {html.escape(text)}" for text in registry["citations"].values())
    caption = "The files behind this study, with the beginning of the checksum against which each is checked."
    parts = [plain_table("data-files", pd.DataFrame(rows), caption), "Please cite with them:", cited]
    out.write("data-files", parts, ["table-data-files"])


def _link(url: str, text: str) -> str:
    return f'<a href="{html.escape(url, quote=True)}">{html.escape(text)}</a>'
