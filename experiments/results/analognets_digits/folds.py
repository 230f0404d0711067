#!/usr/bin/env python3
"""Cuts the spoken digits into five folds, so that all 3,000 recordings are tested once.

usage: folds.py LOGMEL.npz OUT_DIR

LOGMEL.npz holds x_train, y_train, speaker_train and the same of the test set (1 x 32 x 64 log-mel pictures of the Free
Spoken Digit Dataset). Fold k tests every fifth recording of each digit and speaker, from the k-th on, and trains on the
others: OUT_DIR/k has train_images.npy, train_labels.npy, test_images.npy and test_labels.npy. OUT_DIR/tune is for choosing
settings: every fifth of the training recordings of fold 0 tests what is trained on its others.
"""

import pathlib
import sys

import numpy as np

source, out = sys.argv[1:3]
data = np.load(source)
images, labels, speakers = (
    np.concatenate([data[f"{part}_train"], data[f"{part}_test"]]) for part in ("x", "y", "speaker")
)
fold = np.empty(len(labels), int)
for digit in range(10):
    for speaker in np.unique(speakers):
        group = np.flatnonzero((labels == digit) & (speakers == speaker))
        fold[group] = np.arange(len(group)) % 5


def write(name, train, test):
    folder = pathlib.Path(out, str(name))
    folder.mkdir(parents=True, exist_ok=True)
    for part, chosen in (("train", train), ("test", test)):
        np.save(folder / f"{part}_images.npy", images[chosen].astype(np.float32))
        np.save(folder / f"{part}_labels.npy", labels[chosen])
    print(f"{name}: {len(train)} recordings for training, {len(test)} for testing")


for k in range(5):
    write(k, np.flatnonzero(fold != k), np.flatnonzero(fold == k))
known = np.flatnonzero(fold != 0)
chosen = np.arange(len(known)) % 5 == 0
write("tune", known[~chosen], known[chosen])
