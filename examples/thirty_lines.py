"""Cells and labels of one's own: fit, sample, search, save, load in another process, export. `--quick` for a test."""

import subprocess
import sys
from pathlib import Path

import torch

import nasrepro as nr

space = nr.space("mine", operations=["gate", "mix", "shift", "scale"], nodes=20, edges="chain")


def measure(cell: nr.Cell) -> dict[str, float]:
    """Count gates that feed a mix, and scales; the cost is mixes and gates."""
    names = cell.operations
    fed = sum(names[i] == "gate" and names[j] == "mix" for i, j in cell.edges)
    return {"quality": 2.0 * fed + names.count("scale"), "cost": 3.0 * names.count("mix") + names.count("gate")}


benchmark = nr.benchmark(measure, space, metrics={"quality": True, "cost": False})
if "again" in sys.argv:
    print("loaded:", nr.load("mine.safetensors", space).sample(5))
    sys.exit()
conditions = [nr.Condition("good", "quality", top=0.1), nr.Condition("cheap", "cost", at_most=18.0)]
model = nr.fit(benchmark, conditions, preset="quick" if "--quick" in sys.argv else "auto", labelled=300)
print(model.report)
cells = model.sample(20)
print("samples:", cells)
for method in ("random", "evolution", "gp"):
    print(method, nr.optimise(method, benchmark, budget=40, metric="quality").value)
model.save("mine.safetensors")
subprocess.run([sys.executable, __file__, "again"], check=True)
modules = {"gate": "nn.Sigmoid()", "mix": "nn.Conv2d(c, c, 1)", "scale": "nn.BatchNorm2d(c)"}
Path("cell.py").write_text(nr.export(cells.archs[0], space, to="torch", modules=modules), encoding="utf-8")
sys.path.insert(0, ".")
print("exported:", __import__("cell").Network()(torch.zeros(2, 3, 8, 8)).shape)
