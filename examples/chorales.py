"""Harmonies of chorales.

Each row of a chorale is the pitch classes that sound together: counts of twelve notes. A multinomial HMM
over many chorales finds chords and how they follow each other. Give the path of an .npz file with arrays
`notes` (rows of four MIDI numbers, 0 for a rest) and `lengths` as the first argument; without it chorales
are simulated in C major.
"""

import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mlcore.hmm import MultinomialHMM

NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]

if len(sys.argv) > 1:
    data = np.load(sys.argv[1])
    notes, lengths = data["notes"], data["lengths"].astype(int)
else:
    rng = np.random.default_rng(2)
    chords = np.array([[60, 64, 67], [65, 69, 72], [67, 71, 74], [57, 60, 64]])
    steps = np.array([[0.5, 0.2, 0.2, 0.1], [0.2, 0.4, 0.4, 0], [0.6, 0, 0.3, 0.1], [0.1, 0.5, 0.2, 0.2]])
    lengths = np.full(30, 60)
    rows = []
    for _ in lengths:
        chord = 0
        for _ in range(60):
            rows.append(rng.choice(chords[chord], 4))
            chord = rng.choice(4, p=steps[chord])
    notes = np.array(rows)

counts = np.zeros((len(notes), 12))
sounding = notes > 0
np.add.at(counts, (np.nonzero(sounding)[0], notes[sounding] % 12), 1)
counts[~sounding.any(axis=1)] = np.nan  # a rest is a step without an observation

model = MultinomialHMM(4, n_init=3, n_iter=40, tol=0.1, random_state=0, state_order="occupancy")
model.fit(counts, lengths)
for k in range(4):
    best = np.argsort(model.emissionprob_[k])[::-1][:3]
    print(f"state {k}: {' '.join(NAMES[i] for i in best)}, then state {model.transmat_[k].argmax()}")

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
axes[0].imshow(model.emissionprob_, cmap="viridis", aspect="auto")
axes[0].set(title="notes of the states", xticks=range(12), xticklabels=NAMES, ylabel="state", yticks=range(4))
axes[1].imshow(model.transmat_, cmap="viridis", vmin=0, vmax=1)
axes[1].set(title="transitions", xlabel="to", ylabel="from", yticks=range(4))
folder = Path(os.environ.get("MLCORE_EXAMPLES_OUTPUT", "."))
figure.savefig(folder / "chorales.png", dpi=110)
