#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures a quantized glyph model on the committed test set, in integers."""
import argparse
import os
from collections import Counter

import numpy as np

import integer
import tflite


def parse_arguments():
    models = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(
        description="Run a glyph model over a test set with the TFLite quantization "
        "specification's integer arithmetic; print its accuracy and its mistakes.",
        epilog="Needs the Debian packages python3-numpy and python3-flatbuffers; no fonts.")
    parser.add_argument("--model", default=os.path.join(models, "glyphs.tflite"))
    parser.add_argument("--pictures", default=os.path.join(models, "glyphs.test.bin"))
    parser.add_argument("--labels", default=os.path.join(models, "glyphs.test.labels"))
    parser.add_argument("--names", default=os.path.join(models, "glyphs.labels.txt"))
    return parser.parse_args()


def read_lines(path):
    with open(path, encoding="ascii") as file:
        return file.read().split()


def main():
    args = parse_arguments()
    with open(args.model, "rb") as file:
        model = tflite.read(file.read())
    height, width = model.tensors[model.inputs[0]].shape[1:3]
    pictures = np.fromfile(args.pictures, np.uint8).reshape(-1, height, width)
    expected, names = read_lines(args.labels), read_lines(args.names)
    found = [names[i] for i in integer.predict(model, pictures)]
    mistakes = Counter(pair for pair in zip(expected, found) if pair[0] != pair[1])
    wrong = sum(mistakes.values())
    print("%.2f %% of %d right" % (100 * (1 - wrong / len(expected)), len(expected)))
    for (label, instead), count in mistakes.most_common():
        print("  %s taken for %s: %d" % (label, instead, count))


if __name__ == "__main__":
    main()
