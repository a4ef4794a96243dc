"""Texts by topic, with spherical k-means.

A text is a sparse row of word weights, whose length says how long the text is and whose direction says what
it is about. Spherical k-means looks at directions only. The texts are the docstrings of scikit-learn; the
clusters, found without knowing, are compared with the modules they come from.
"""

import inspect
import os
from importlib import import_module
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from mlcore.cluster import SphericalKMeans
from mlcore.metrics import align_labels, purity_score

names = ["decomposition", "linear_model", "neighbors", "preprocessing", "svm"]
texts, topic = [], []
for number, name in enumerate(names):
    module = import_module(f"sklearn.{name}")
    for member in module.__all__:
        text = inspect.getdoc(getattr(module, member)) or ""
        if len(text) > 300:
            texts.append(text)
            topic.append(number)

vectorizer = TfidfVectorizer(
    stop_words="english", token_pattern=r"[a-z]{3,}", min_df=3, max_df=0.3, sublinear_tf=True, norm=None
)
X = vectorizer.fit_transform(texts)
model = SphericalKMeans(len(names), n_init=20, random_state=0).fit(X)
labels, renamed = align_labels(topic, model.labels_, return_mapping=True)

vocabulary = vectorizer.get_feature_names_out()
for cluster, center in enumerate(model.cluster_centers_):
    print(f"{names[renamed[cluster]]}:", ", ".join(vocabulary[np.argsort(-center)[:6]]))
purity = purity_score(topic, model.labels_)
print(f"{X.shape[0]} texts, {X.shape[1]} words, purity {purity:.2f}")

figure, axis = plt.subplots(figsize=(6.4, 5), layout="constrained")
table = np.zeros((len(names), len(names)), dtype=int)
np.add.at(table, (topic, labels), 1)
axis.imshow(table, cmap="Blues")
for (row, column), count in np.ndenumerate(table):
    axis.text(
        column,
        row,
        count or "",
        ha="center",
        va="center",
        color="white" if count > table.max() / 2 else "black",
    )
axis.set_xticks(range(len(names)), names, rotation=30, ha="right")
axis.set_yticks(range(len(names)), names)
axis.set(xlabel="cluster", ylabel="module the text comes from", title=f"purity {purity:.2f}")

folder = Path(os.environ.get("MLCORE_EXAMPLES_OUTPUT", "."))
figure.savefig(folder / "spherical_text.png", dpi=110)
