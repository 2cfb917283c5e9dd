"""Tables of claims and of runs, and what your own runs found. The tables of the papers have modules of their own."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from nasrepro.errors import CorruptData
from nasrepro.files import paths
from nasrepro.report import search_figures
from nasrepro.report.dinas import table_1_2
from nasrepro.report.drawing import Figure
from nasrepro.report.rendering import DATASET_NAMES, Table, duration, number, runs_note, tabulate, text, with_interval
from nasrepro.report.rows import row_of
from nasrepro.report.sources import run_command
from nasrepro.runs import records
from nasrepro.runs.claims import as_measured, by_claim, stands, verdict_of
from nasrepro.runs.evidence import VERDICTS, Claim, Evidence, Measured
from nasrepro.runs.plan import PLACE, Shown, nearest, parts_of
from nasrepro.runs.records import Record, Run

_DETAILED = 12  # runs of yours that get a section of their own; the overview lists all
_SIGNS = {"above": "> ", "below": "< ", "at_most": "≤ ", "about": "about "}


def _printed(claim: Claim) -> str:
    tolerance = f"\n± {claim.tolerance:g}" if claim.tolerance else ""
    return f"{_SIGNS.get(str(claim.bound), '')}{claim.printed:.{claim.digits}f} {claim.unit}{tolerance}"


def _controls(answers: Sequence[Evidence]) -> str:
    told: dict[str, dict[str, None]] = {}  # the number -> which answers it is held against
    for e in answers:
        if e.control is not None:
            told.setdefault(f"{e.control[0]}: {_number(e.control[1], e.claim)}", {})[e.method] = None
    return "\n".join(f"{n} ({', '.join(of)})" if len(told) > 1 else n for n, of in told.items())


def _told(answers: Sequence[Evidence], method: str, tell: Callable[[Evidence], str], otherwise: str) -> str:
    """Return what is told of the answers as printed, or of ours, each once."""
    return "\n".join(dict.fromkeys(tell(e) for e in answers if e.method == method)) or otherwise


_CLAIMS = (
    text("Where", lambda a: f"{a[0].claim.paper}, {a[0].claim.location}\n`{a[0].claim.id}`"),
    number("Printed", lambda a: _printed(a[0].claim)),
    text("Verdict", lambda a: verdict_of(a) or "compared"),
    text("As printed, run by us", lambda a: _told(a, "as printed", _found, "another method's number")),
    text("Control", lambda a: _controls(a) or "none"),
    text("Ours: where it stands", lambda a: _told(a, "ours", _stands, "none")),
)


def claims_table(
    evidence: Sequence[Evidence], title: str = "The statements of the papers and what our runs say to them"
) -> Table:
    """Return a row per claim: printed, as printed by us with the verdict, ours, and the control of both."""
    items = list(by_claim(evidence).values())
    said = [verdict_of(answers) for answers in items]
    tally = ", ".join(f"{said.count(v)} {v}" for v in VERDICTS if v in said)
    caption = f"{title}. Verdicts, of runs as printed alone: {tally or 'none'}. Mean [95 % interval]."
    if rivals := said.count(None):
        caption += f" {rivals} numbers of other methods are compared and count in no sum."
    keys = dict.fromkeys(key for e in evidence if e.method == "as printed" for key in e.runs)
    kind = lambda a: (verdict_of(a) or "").replace(" ", "-").replace("(", "").replace(")", "")  # noqa: E731
    return tabulate(_CLAIMS, items, caption, (*_remarks(evidence), *runs_note(keys)), kind=kind, stacks=True)


def _remarks(evidence: Sequence[Evidence]) -> Iterator[str]:
    """Yield what several claims have in common, once: departures and reasons, then the commands of what is not run."""
    remarks: dict[tuple[str, str], list[str]] = {}
    for e in evidence:
        if e.found is not None and e.departures:
            remarks.setdefault((e.reading, f"departures: {'; '.join(e.departures)}"), []).append(e.claim.id)
        if e.reason and e.verdict not in ("not run", "not comparable"):
            told = e.reason + (f": `{e.command}`" if e.command else "")
            remarks.setdefault((e.reading, told), []).append(e.claim.id)
    for (reading, told), names in remarks.items():
        yield f"{', '.join(f'`{name}`' for name in names)} ({reading}): {told}."
    if missing := dict.fromkeys(f"`{e.command}`" for e in evidence if e.verdict == "not run" and e.command):
        yield f"What is not run as printed, these would run: {'; '.join(missing)}."


def _found(e: Evidence) -> str:
    if e.found is None:
        return e.reason if e.reason.startswith("not run") else f"not run: {e.reason}"
    return f"{e.reading}: {_number(e.found, e.claim)}, n = {e.found.n}" + (
        ", departs: see the notes" if e.departures else ""
    )


def _stands(e: Evidence) -> str:
    if e.found is None:
        return f"{e.reading}: {e.reason}"
    against = {"the printed value": as_measured(e.claim)} | ({"the control": e.control[1]} if e.control else {})
    places = (f"{stands(e.found, other)} {name}" for name, other in against.items())
    return f"{e.reading}: {_number(e.found, e.claim)}, {', '.join(places)}".replace("level the", "level with the")


def _number(found: Measured, claim: Claim) -> str:
    low, high = found.ci95 or (None, None)
    return with_interval({"mean": found.mean, "low": low, "high": high}, max(3, claim.digits))


_FACTS = (text("What", lambda fact: fact[0]), text("Value", lambda fact: fact[1]))


def run_table(record: Record) -> Table:
    """Return where a result comes from: parameters, code, data, machine, cost and labels of its run."""
    caption = f"Where the numbers of run `{record.key}` come from"
    return tabulate(_FACTS, _facts(record), caption, kind="", name=f"ref-{record.key}")


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    code, cost, env = record.code, record.cost, record.environment
    commit = code.git_commit[:12] if code.git_commit else "not in a git checkout"
    dirty = {True: ", with uncommitted changes", False: ", clean tree", None: ""}[code.git_dirty]
    yield "Run", f"`{record.key}`, experiment {record.experiment} version {record.method_version}, {record.profile}"
    yield "Finished", record.created
    yield from ((f"Parameter {name}", f"{value}") for name, value in record.parameters.items())
    for name, seed in record.seeds.items():
        yield f"Seed of {name}", ", ".join(map(str, seed)) if isinstance(seed, list) else f"{seed}"
    yield from ((f"Data {file.name}", f"sha256 `{file.sha256[:16]}`") for file in record.data)
    yield "Code", f"nasrepro {code.package}, sources `{code.source_sha256[:12]}`, commit `{commit}`{dirty}"
    yield "Machine", f"{env.device}, {env.threads} threads, {env.platform}, Python {env.python}"
    yield "Libraries", ", ".join(f"{name} {version}" for name, version in env.libraries.items())
    yield "Time", f"{duration(cost.wall_s)} wall, {duration(cost.cpu_s)} CPU, in {cost.sittings} sitting(s)"
    yield from ((f"Time of {stage}", duration(seconds)) for stage, seconds in cost.stages.items())
    yield "Peak memory", f"{cost.peak_memory_mb:.0f} MB"
    for count in record.labels:
        what = f"{count.distinct:,} distinct, {count.reads:,} reads ({count.column})"
        yield f"Labels read by {count.reader} to {count.purpose}", what
    if (each := record.metrics.get("speed", {}).get("seconds_per_architecture")) is not None:
        yield "Sampling", f"{duration(each)} per architecture"


_RUNS = (
    text("Run", lambda r: f"`{r.key}`"),
    text("Experiment", "experiment"),
    text("Where", lambda r: _place(r) or "one place only"),
    text("Profile", "profile"),
    text("Finished", lambda r: r.created[:16].replace("T", " ")),
    number("DiNAS, best, %", lambda r: _best(r) or "no such row", 3),
    number("Time", lambda r: duration(r.cost.wall_s)),
    text("Part of the plan", lambda r: ", ".join(parts_of(r)) or _nearest(r)),
)


def runs_overview(candidates: Iterable[Record], name: str = "") -> Table:
    """Return one row per run, newest first, with its part of the plan or what keeps it from one."""
    known = sorted(candidates, key=lambda r: (r.created, r.key), reverse=True)
    caption = f"{len(known)} finished run{'s' if len(known) != 1 else ''}, newest first"
    return tabulate(_RUNS, known, caption, kind="", name=name)


def _place(record: Record) -> str:
    place = [f"{record.parameters[name]}" for name in PLACE if name in record.parameters]
    return ", ".join(DATASET_NAMES.get(value, value) for value in place)


def _best(record: Record) -> object:
    row = row_of(record, "dinas")
    return row.get("best_valid") or row.get("val")


def _nearest(record: Record) -> str:
    """Say by what a run differs from the nearest one of the plan that takes place where it does."""
    if (found := nearest(record)) is None:
        return "none"
    entry, differs = found
    return f"{entry.id} but for {', '.join(f'{k}={v}' for k, v in differs.items())}" if differs else entry.id


@dataclass(frozen=True)
class Section:
    """A piece of a page as HTML."""

    content: str

    def _repr_html_(self) -> str:
        return self.content


def local_runs() -> tuple[list[Run], list[str]]:
    """Return your runs, the newest first, and a line for each unreadable record, which must not cost the book."""
    runs, broken = [], []
    for path in paths.runs_dir().glob("*/*/record.json"):
        try:
            runs.append((path.parent, records.load(path.parent)))
        except CorruptData:
            name = f"{path.parent.parent.name}/{path.parent.name}"
            broken.append(f"<code>{html.escape(name)}</code> cannot be read; delete the folder and repeat the run.")
    return sorted(runs, key=lambda run: run[1].created, reverse=True), sorted(broken)


def your_runs() -> Section:
    """Return your runs: a table of all, what the newest twelve found, and which cannot be read."""
    runs, broken = local_runs()
    parts = [f'<div class="admonition warning"><p class="admonition-title">Warning</p><p>{b}</p></div>' for b in broken]
    if runs:
        parts.append(_html(runs_overview([r for _, r in runs], "own-runs")))
        return Section("\n".join([*parts, *map(_section, runs[:_DETAILED])]))
    told = "There are none on this machine yet. This makes one, in a few minutes on two CPU cores:"
    command = "nasrepro run nb201 -p dataset=cifar100 --profile laptop\nnasrepro book"
    return Section("\n".join([*parts, f"<p>{told}</p>", _command(command)]))


def committed_runs() -> Table:
    """Return a table of the runs that are committed with the book."""
    return runs_overview([r for _, r in records.find(paths.records_dir())], "committed-runs")


def committed_details() -> Section:
    """Return everything about each committed run, folded away, with the ids `table-ref-<key>`."""
    return Section("\n".join(_details(run_table(r), r) for _, r in records.find(paths.records_dir())))


def _section(run: Run) -> str:
    """Return what a run of yours found: its result beside the printed one, its figures, and where it comes from."""
    folder, record = run
    name, near = f"own-{record.key}", nearest(record, [spec.part for spec in table_1_2.TABLES.values()])
    of = next((t for t, spec in table_1_2.TABLES.items() if near and spec.part == near[0].id), None)
    title = table_1_2.TABLES[of].title if of else record.experiment
    parts = [f"<h3>{title}, {record.profile}, {record.created[:10]}, {record.key[:8]}</h3>"]
    if of is not None:
        runs = Shown([])
        runs.yours[table_1_2.TABLES[of].part] = run  # whatever its parameters are
        loss = search_figures.loss_curve(folder).titled(f"{name}-loss", f"{title}: training loss.")
        figures = [table_1_2.curve(of, runs), table_1_2.cells(of, runs) if record.experiment == "nb201" else None, loss]
        parts.append(_html(table_1_2.search_table(of, runs).named(f"{name}-result")))
        parts += [_figure(f.titled(f.name.replace(of, name), f.caption)) for f in figures if f is not None]
    return "\n".join([*parts, _command(run_command(record)), _details(run_table(record).named(name), record)])


def _html(table: Table) -> str:
    return table.to_html(f"table-{table.name}")


def _command(command: str) -> str:
    return (
        f'<div class="highlight-bash notranslate"><div class="highlight"><pre>{html.escape(command)}</pre></div></div>'
    )


def _figure(figure: Figure) -> str:
    alt = html.escape(" ".join(figure.alt.split()), quote=True)
    image = f'<img src="data:image/svg+xml;base64,{base64.b64encode(figure.svg.encode()).decode()}" alt="{alt}">'
    return f'<figure id="figure-{figure.name}">{image}<figcaption>{html.escape(figure.caption)}</figcaption></figure>'


def _details(table: Table, record: Record) -> str:
    """Return the whole provenance of a run, folded away."""
    summary = f"<summary>Everything about run <code>{record.key}</code></summary>"
    return f'<details class="nr-details">{summary}{_html(table)}</details>'
