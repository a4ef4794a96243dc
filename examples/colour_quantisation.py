"""A photograph in sixteen colours.

Each pixel is a row of three numbers. k-means finds the sixteen colours that represent the pixels with the
least squared error; every pixel then takes the nearest of them.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from mlcore.cluster import KMeans

image = load_sample_image("china.jpg")
pixels = image.reshape(-1, 3).astype(np.float32)

model = KMeans(16, n_init=1, random_state=0).fit(pixels)
palette = model.cluster_centers_.round().astype(np.uint8)
reduced = palette[model.labels_].reshape(image.shape)

before = len(np.unique(image.reshape(-1, 3), axis=0))
error = (model.inertia_ / pixels.size) ** 0.5
print(f"{before:,} colours reduced to {len(palette)}, error per channel {error:.1f} of 255")

figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for axis, picture, title in zip(axes, (image, reduced), (f"{before:,} colours", "16 colours")):
    axis.imshow(picture)
    axis.set(title=title, xticks=[], yticks=[])

folder = Path(os.environ.get("MLCORE_EXAMPLES_OUTPUT", "."))
figure.savefig(folder / "colour_quantisation.png", dpi=110)
