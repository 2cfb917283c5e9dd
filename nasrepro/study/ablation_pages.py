"""The generated parts of the pages on DiNAS' settings and costs: ablations, Table 6, Table 8."""

from __future__ import annotations

from collections.abc import Sequence

from nasrepro.study import ablation_tables, class_table, constraint_table, efficiency_table
from nasrepro.study.fragments import Fragments, Run, command, table


def write(out: Fragments, committed: Sequence[Run]) -> None:
    """Write the tables of all settings, the curve of the guidance scale, and the costs."""
    known = [record for _, record in committed]
    for name, ablation in ablation_tables.ABLATIONS.items():
        parts = [table(f"ablation-{name}", ablation_tables.ablation_table(name, known))]
        ids = [f"table-ablation-{name}"]
        if name == "guidance" and len(ablation_tables.varied(name, known)) > 1:
            caption = "What the guidance scale does: validity, diversity and concentration."
            parts.append(out.figure("guidance-scale", ablation_tables.curve(known), caption))
            ids.append("figure-guidance-scale")
        out.write(f"ablation-{name}", [*parts, "One row of it, or one more:", command(ablation.command)], ids)
    content = ablation_tables.settings_table(known)
    out.write("nb201-settings", [table("nb201-settings", content)], ["table-nb201-settings"])
    dropped = constraint_table.dropout_table(known)
    again = "nasrepro run hw -p device=edgegpu -p latency=2 -p joint_dropout=false --profile laptop"
    out.write("ablation-dropout", [table("ablation-dropout", dropped), command(again)], ["table-ablation-dropout"])
    out.write("table8", [table("table8", class_table.class_table(known))], ["table-table8"])
    out.write("efficiency", [table("efficiency", efficiency_table.efficiency_table(known))], ["table-efficiency"])
