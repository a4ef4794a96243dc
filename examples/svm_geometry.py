"""The geometry of support vector machines.

Four pictures of what a support vector machine does in the plane. The widest margin is held by three points.
A smaller C lets more points into a wider margin. The bandwidth of the RBF kernel goes from nearly straight
boundaries to islands around single points. And one step of sequential minimal optimisation moves a pair of
multipliers along a line until the best point, or a side of the box, is reached.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

from mlcore.svm import SVC, margins, smo_step

plt.rcParams["svg.fonttype"] = "none"
plt.rcParams["svg.hashsalt"] = "mlcore"
folder = Path(os.environ.get("MLCORE_EXAMPLES_OUTPUT", "."))
COLOURS = np.array(["#4063d8", "#cb3c33"])


def save(figure, name):
    """As PNG, or, for the user guide, as what MLCORE_EXAMPLES_SUFFIX says: .svg."""
    file = (folder / name).with_suffix(os.environ.get("MLCORE_EXAMPLES_SUFFIX", ".png"))
    figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)


def draw(axis, model, X, y, title):
    """Regions, boundary and margins of a fitted model; support vectors ringed, those at C filled."""
    low, high = X.min(axis=0) - 0.4, X.max(axis=0) + 0.4
    xs, ys = np.linspace(low[0], high[0], 50), np.linspace(low[1], high[1], 50)
    grid = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    decisions = model.decision_function(grid).reshape(50, 50)
    axis.contourf(xs, ys, decisions, levels=[-1e9, 0, 1e9], colors=COLOURS, alpha=0.12)
    lines = {"levels": [-1, 0, 1], "linestyles": ["--", "-", "--"], "linewidths": [0.8, 1.4, 0.8]}
    axis.contour(xs, ys, decisions, colors="black", **lines)
    axis.scatter(*X.T, c=COLOURS[(y > 0).astype(int)], s=9)
    regimes = model.kkt_regimes()
    axis.scatter(*X[regimes == 1].T, s=52, facecolors="none", edgecolors="black", linewidths=1.0)
    axis.scatter(*X[regimes == 2].T, s=34, facecolors="none", edgecolors="grey", linewidths=0.7)
    axis.set(title=title, xticks=[], yticks=[], xlim=(low[0], high[0]), ylim=(low[1], high[1]))


# The widest margin: three points hold it.
rng = np.random.default_rng(7)
holding = [[0.6, 1.4], [1.6, 0.4], [-0.4, -0.6]]
X = np.concatenate([rng.normal(2.4, 0.5, (18, 2)), rng.normal(-1.6, 0.4, (18, 2)), holding])
y = np.concatenate([np.ones(18), -np.ones(18), [1, 1, -1]])
model = SVC(kernel="linear", C=1e3, tol=1e-6).fit(X, y)
width = margins(model.coef_, model.intercept_[0], X, y).geometric.min()
print(
    f"widest margin: {len(model.support_)} support vectors, w = {model.coef_[0].round(3)}, {width:.4f} wide"
)
figure, axis = plt.subplots(figsize=(4.2, 4), layout="constrained")
draw(axis, model, X, y, f"margin {width:.3f}")
axis.set_aspect("equal")
save(figure, "svm_margin.png")

# C is the price of points inside the margin.
rng = np.random.default_rng(3)
X = np.concatenate([rng.normal(1.0, 1.0, (40, 2)), rng.normal(-1.0, 1.0, (40, 2))])
y = np.repeat([1, -1], 40)
figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
for axis, C in zip(axes, (0.05, 1, 50)):
    model = SVC(kernel="linear", C=C, tol=1e-6).fit(X, y)
    width = 2 / np.linalg.norm(model.coef_)
    print(f"C = {C:g}: {len(model.support_)} support vectors, distance of the margins {width:.2f}")
    draw(axis, model, X, y, f"C = {C:g}: {len(model.support_)} support vectors")
save(figure, "svm_price.png")

# The bandwidth of the RBF kernel.
X, y = make_moons(200, noise=0.22, random_state=4)
figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
for axis, gamma in zip(axes, (0.3, 2, 20)):
    model = SVC(C=10, gamma=gamma, tol=1e-6).fit(X, y)
    print(f"gamma = {gamma:g}: {len(model.support_)} support vectors, {model.score(X, y):.3f} right")
    draw(axis, model, X, y, f"γ = {gamma:g}: {len(model.support_)} support vectors")
save(figure, "svm_bandwidth.png")

# One step of SMO: along a line with y_1 alpha_1 + y_2 alpha_2 constant, to the best point inside the box.
step = smo_step([0.5, 1.5], [1, -1], 0.25 * np.eye(2), C=4, pair=(0, 1))
print(f"SMO: best alpha_2 {step.unclipped:g}, interval [{step.low:g}, {step.high:g}], new {step.alpha}")
figure, axis = plt.subplots(figsize=(4.4, 4), layout="constrained")
axis.add_patch(plt.Rectangle((0, 0), 4, 4, facecolor="0.94", edgecolor="black"))
axis.plot([-1, 4.6], [0, 5.6], color="grey", linewidth=0.8)
axis.plot([0, 3], [step.low, step.high], color=COLOURS[0], linewidth=3, alpha=0.5)
points = {"start": (0.5, 1.5), "best on the line": (step.unclipped - 1, step.unclipped), "new": step.alpha}
for (name, point), marker in zip(points.items(), "oxs"):
    axis.plot(*point, marker, color=COLOURS[1], label=f"{name} ({point[0]:g}, {point[1]:g})")
axis.set(xlim=(-0.5, 5), ylim=(-0.5, 5), xlabel="α₁", ylabel="α₂", aspect="equal", title="a step in the box")
axis.legend(loc="lower right", fontsize=8)
save(figure, "svm_box.png")
