#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the glyph model from nothing and writes all there is in models/."""
import argparse
import os
import textwrap
import time

import numpy as np
from PIL import Image

import fonts
import integer
import network
import quantize
import render
import tflite

DESCRIPTION = "zhouyid glyphs: digits and capital letters, 32x32 grayscale"
BATCH = 128
CALIBRATION_BATCHES, CALIBRATION_BATCH = 16, 256
PER_CLASS = 29       # samples of the test set
VALIDATION = 3500    # samples
SAMPLES = "NPU2A47KR9"

# Each use of chance has a stream of its own: a longer training changes no test sample.
WEIGHTS, TRAINING, CALIBRATING, VALIDATING, TESTING, SAMPLING = range(6)


def parse_arguments():
    models = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    packages = " ".join(["python3-numpy python3-pil python3-flatbuffers", *fonts.PACKAGES])
    parser = argparse.ArgumentParser(
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train the glyph model: render characters from fonts, train a float network,\n"
        "quantize it, and write glyphs.tflite, glyphs.labels.txt, the test set and\nsamples.",
        epilog="Needs these Debian packages:\n" + textwrap.fill(
            packages, 78, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False))
    parser.add_argument("--out", default=models, help="directory to write to (%(default)s)")
    parser.add_argument("--steps", type=int, default=2400,
                        help="batches of %d to train on (%%(default)s)" % BATCH)
    parser.add_argument("--rate", type=float, default=4e-3, help="learning rate (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (%(default)s)")
    return parser.parse_args()


def stream(seed, use):
    return np.random.default_rng([seed, use])


def train(args, masters):
    """A trained float network."""
    layers = network.build(stream(args.seed, WEIGHTS), len(render.LABELS))
    rng = stream(args.seed, TRAINING)
    batches = iter(lambda: render.balanced(rng, masters, BATCH), None)
    started, losses = time.monotonic(), []

    def report(step, loss):
        losses.append(loss)
        if (step + 1) % 100 == 0:
            print("step %d of %d: loss %.4f, %.0f s" % (step + 1, args.steps,
                  np.mean(losses[-100:]), time.monotonic() - started), flush=True)

    network.train(layers, batches, args.steps, args.rate, report)
    for layer in layers:
        layer.fold()
    return layers


def quantized(args, layers, masters):
    """The bytes of the model file."""
    rng = stream(args.seed, CALIBRATING)
    batches = [render.balanced(rng, masters, CALIBRATION_BATCH)[0]
               for _ in range(CALIBRATION_BATCHES)]
    return tflite.write(quantize.quantize(layers, batches, DESCRIPTION))


def report_accuracy(name, layers, model, pictures, labels):
    print("%s: %.2f %% in float, %.2f %% in int8, %d samples" % (
        name, 100 * np.mean(network.predict(layers, pictures) == labels),
        100 * np.mean(integer.predict(model, pictures) == labels), len(labels)))


def write_file(args, name, data):
    with open(os.path.join(args.out, name), "wb") as file:
        file.write(data)


def write_labels(args, name, labels):
    """One line for each, the character itself."""
    write_file(args, name, "".join(label + "\n" for label in labels).encode())


def write_test_set(args, pictures, labels):
    write_file(args, "glyphs.test.bin", pictures.tobytes())
    write_labels(args, "glyphs.test.labels", [render.LABELS[i] for i in labels])


def write_samples(args, masters):
    """Pictures named after what they show; half of them PNG, half PGM."""
    os.makedirs(os.path.join(args.out, "samples"), exist_ok=True)
    labels = [render.LABELS.index(label) for label in SAMPLES]
    pictures = render.render(stream(args.seed, SAMPLING), masters, labels)
    for i, (label, picture) in enumerate(zip(SAMPLES, pictures)):
        name = "samples/%s.%s" % (label, ("png", "pgm")[i % 2])
        Image.fromarray(picture).save(os.path.join(args.out, name))


def main():
    args = parse_arguments()
    masters = {name: render.draw_masters(families) for name, families in
               (("train", fonts.TRAIN), ("validate", fonts.VALIDATE), ("test", fonts.TEST))}
    layers = train(args, masters["train"])
    image = quantized(args, layers, masters["train"])
    model = tflite.read(image)
    validation = render.balanced(stream(args.seed, VALIDATING), masters["validate"], VALIDATION)
    report_accuracy("validation fonts", layers, model, *validation)
    test = render.balanced(stream(args.seed, TESTING), masters["test"],
                           PER_CLASS * len(render.LABELS))
    report_accuracy("test fonts", layers, model, *test)

    write_file(args, "glyphs.tflite", image)
    write_labels(args, "glyphs.labels.txt", render.LABELS)
    write_test_set(args, *test)
    write_samples(args, masters["test"])


if __name__ == "__main__":
    main()
