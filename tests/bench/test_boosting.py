"""What the boosting benchmarks work out beside the times."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
if not (ROOT / "bench" / "compare").is_dir():
    pytest.skip("the benchmarks are not part of this copy", allow_module_level=True)
sys.path.insert(0, str(ROOT))

from bench.compare.boosting import rows_of_lightgbm, rows_of_mlcore  # noqa: E402
from bench.compare.boosting_quality import markdown, verdict  # noqa: E402

from mlcore.ensemble import HistGradientBoostingRegressor  # noqa: E402


def test_rows_that_trees_sum_up():
    """Every row for the root, and those of the smaller child of each split, followed by the thresholds."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(500, 3)), rng.normal(size=500)
    model = HistGradientBoostingRegressor(max_iter=3, max_leaf_nodes=6).fit(X, y)
    expected = 0
    for iteration in range(3):
        tree = model.get_tree(iteration)

        def walk(node, rows, tree=tree):
            if tree["left"][node] < 0:
                return 0
            left = X[rows, tree["feature"][node]] <= tree["threshold"][node]
            sides = (rows[left], rows[~left])
            below = sum(walk(tree[name][node], side) for name, side in zip(("left", "right"), sides))
            return min(map(len, sides)) + below

        expected += 500 + walk(0, np.arange(500))
    assert rows_of_mlcore(model) == expected


def test_rows_of_a_dumped_tree():
    class Booster:
        def dump_model(self):
            leaves = [{"leaf_count": 7}, {"leaf_count": 20}]
            inner = {"internal_count": 27, "left_child": leaves[0], "right_child": leaves[1]}
            root = {"internal_count": 40, "left_child": {"leaf_count": 13}, "right_child": inner}
            return {"tree_info": [{"tree_structure": root}, {"tree_structure": {"leaf_count": 40}}]}

    assert rows_of_lightgbm(Booster()) == 40 + 13 + 7 + 40


def test_verdicts_and_their_table():
    assert verdict([1.0, 1.0, 1.0], [1.2, 1.3, 1.2]) == "win"
    assert verdict([1.2, 1.3, 1.2], [1.0, 1.0, 1.0]) == "loss"
    assert verdict([1.0, 1.4, 1.0], [1.1, 1.0, 1.2]) == "tie"
    assert verdict([1.0, 1.0], [1.0, 1.0]) == "tie"
    losses = {"mlcore": [1.0, 1.0], "LightGBM": [1.5, 1.6], "scikit-learn": [1.0, 1.0]}
    text = markdown({"a set": {"rows": 1000, "columns": 2, "classes": 0, "losses": losses}})
    assert "against LightGBM 1 wins, 0 ties, 0 losses" in text
    assert "| a set | 1,000 × 2 | RMSE | 1 | 1.55 | 1 | win | tie |" in text
