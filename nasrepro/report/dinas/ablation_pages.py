"""The generated parts of the pages on DiNAS' settings and costs: ablations, Table 6, Table 8."""

from __future__ import annotations

from collections.abc import Sequence

from nasrepro.report.dinas import ablations as ablation_tables
from nasrepro.report.dinas import exact_denoiser as exact_table
from nasrepro.report.dinas import full_profile
from nasrepro.report.dinas import statistics as comparison
from nasrepro.report.dinas import table_4 as constraint_table
from nasrepro.report.dinas import table_6 as efficiency_table
from nasrepro.report.dinas import table_8 as class_table
from nasrepro.report.dinas.threshold import threshold_table
from nasrepro.report.fragments import Fragments, command, table
from nasrepro.report.plan_table import plan_table
from nasrepro.runs.records import Run


def write(out: Fragments, committed: Sequence[Run]) -> None:
    """Write the tables of all settings, the curve of the guidance scale, and the costs."""
    known = [record for _, record in committed]
    overview = table("ablations", ablation_tables.overview_table(known))
    out.write("ablations", [overview], ["table-ablations"])
    for name, ablation in ablation_tables.ABLATIONS.items():
        parts = [table(f"ablation-{name}", ablation_tables.ablation_table(name, known))]
        ids = [f"table-ablation-{name}"]
        if name == "guidance" and len(ablation_tables.varied(name, known)) > 1:
            caption = "What the guidance scale does: validity, diversity and concentration."
            parts.append(out.figure("guidance-scale", ablation_tables.curve(known), caption))
            ids.append("figure-guidance-scale")
        out.write(f"ablation-{name}", [*parts, "One row of it, or one more:", command(ablation.command)], ids)
    again = "nasrepro run exact_denoiser -p benchmark=nb201 --profile laptop"
    out.write("exact", [table("exact", exact_table.exact_table(known)), command(again)], ["table-exact"])
    content = ablation_tables.settings_table(known)
    out.write("nb201-settings", [table("nb201-settings", content)], ["table-nb201-settings"])
    dropped = constraint_table.dropout_table(known)
    again = "nasrepro run hw -p device=edgegpu -p latency=2 -p joint_dropout=false --profile laptop"
    out.write("ablation-dropout", [table("ablation-dropout", dropped), command(again)], ["table-ablation-dropout"])
    _comparison(out, committed)
    out.write(
        "plan", [table("plan", plan_table(known)), command("nasrepro run --all --profile laptop")], ["table-plan"]
    )
    out.write(
        "plan-full",
        [
            table("plan-full", full_profile.full_table(committed)),
            command("nasrepro run --all --paper dinas --profile full"),
            table("step-cost", full_profile.step_table(committed)),
            command("nasrepro run step_cost"),
            table("full-tried", full_profile.tried_table(committed)),
        ],
        ["table-plan-full", "table-step-cost", "table-full-tried"],
    )
    again = "nasrepro run nb101 -p percentile=99.9 --profile laptop"
    out.write(
        "nb101-threshold", [table("nb101-threshold", threshold_table(known)), command(again)], ["table-nb101-threshold"]
    )
    out.write("table8", [table("table8", class_table.class_table(known))], ["table-table8"])
    out.write("efficiency", [table("efficiency", efficiency_table.efficiency_table(known))], ["table-efficiency"])


def _comparison(out: Fragments, committed: Sequence[Run]) -> None:
    """Write the tests of DiNAS against the searches rerun."""
    found = comparison.best_values(committed)
    parts = [table("tests", comparison.test_table(found)), table("equivalence", comparison.equivalence_table(found))]
    ids = ["table-tests", "table-equivalence"]
    ranks = comparison.rank_figure(found)
    if ranks is not None:
        caption = "Mean ranks over the benchmarks; a bar joins methods that do not differ by the critical difference."
        parts.append(out.figure("ranks", ranks, caption))
        ids.append("figure-ranks")
    out.write("comparison", parts, ids)
