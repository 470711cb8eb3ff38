#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Renders single characters the way they come out of a camera or a scanner: shifted, turned,
scaled, slanted, on a background of some brightness and slope, blurred and noisy."""
import argparse

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import fonts

LABELS = "0123456789ABCDEFGHIJKLMNPQRSTUVWXYZ"  # no letter O: in many fonts it is the digit 0
SIDE = 32           # pixels of a sample
CAP_HEIGHT = 21.0   # pixels of an undistorted character
MAX_WIDTH = 27.0    # wider characters (W) shrink to this

OVERSAMPLE = 2      # glyphs are distorted at this multiple, then averaged down
MASTER = 3          # and drawn at this one
MASTER_SIDE = SIDE * MASTER


def draw_master(face, label):
    """One undistorted glyph, centred, MASTER times too large: ink is 255."""
    left, top, right, bottom = face.getbbox(label)
    ink = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(ink).text((-left, -top), label, font=face, fill=255)
    ink = ink.crop(ink.getbbox())
    scale = MASTER * min(CAP_HEIGHT / ink.height, MAX_WIDTH / ink.width)
    ink = ink.resize((max(1, round(ink.width * scale)), max(1, round(ink.height * scale))),
                     Image.LANCZOS)
    master = Image.new("L", (MASTER_SIDE, MASTER_SIDE))
    master.paste(ink, ((MASTER_SIDE - ink.width) // 2, (MASTER_SIDE - ink.height) // 2))
    return master


def draw_masters(families):
    """All glyphs of all faces: [family][face][label] -> image."""
    return [[[draw_master(face, label) for label in LABELS]
             for face in (ImageFont.truetype(path, 120) for path in paths)]
            for paths in fonts.faces(families).values()]


def distortions(rng, n):
    """n affine maps from an output pixel to a master pixel, n x 6."""
    angle = np.radians(rng.uniform(-10, 10, n))
    shear = rng.uniform(-0.15, 0.15, n)
    scale = rng.uniform(0.8, 1.15, n)
    stretch = rng.uniform(0.9, 1.1, n)
    dx, dy = rng.uniform(-2.5, 2.5, (2, n)) * OVERSAMPLE
    zoom = MASTER / OVERSAMPLE / scale
    a = zoom * np.cos(angle) / stretch
    b = zoom * (np.sin(angle) + shear)
    d = zoom * -np.sin(angle) / stretch
    e = zoom * np.cos(angle)
    centre = SIDE * OVERSAMPLE / 2
    c = MASTER_SIDE / 2 - a * (centre + dx) - b * (centre + dy)
    f = MASTER_SIDE / 2 - d * (centre + dx) - e * (centre + dy)
    return np.stack([a, b, c, d, e, f], 1)


def distort(rng, masters):
    """The ink of each master after a random affine map, n x SIDE x SIDE in 0 ... 1."""
    size = SIDE * OVERSAMPLE
    ink = np.empty((len(masters), size, size), np.uint8)
    for i, coefficients in enumerate(distortions(rng, len(masters))):
        ink[i] = masters[i].transform((size, size), Image.AFFINE, tuple(coefficients),
                                      Image.BILINEAR)
    ink = ink.reshape(-1, SIDE, OVERSAMPLE, SIDE, OVERSAMPLE)
    return ink.mean((2, 4), dtype=np.float32) / 255


def blur(rng, ink):
    """A 5x5 Gaussian of random width for each picture."""
    sigma = rng.uniform(0.2, 1.1, len(ink)).astype(np.float32)
    taps = np.exp(-0.5 * (np.arange(-2, 3, dtype=np.float32)[None] / sigma[:, None]) ** 2)
    taps /= taps.sum(1, keepdims=True)
    padded = np.pad(ink, ((0, 0), (2, 2), (2, 2)))
    rows = sum(taps[:, i, None, None] * padded[:, i:i + SIDE] for i in range(5))
    return sum(taps[:, i, None, None] * rows[:, :, i:i + SIDE] for i in range(5))


def expose(rng, ink):
    """Ink to brightness: dark on light or light on dark, uneven light, sensor noise."""
    n = len(ink)
    contrast = rng.uniform(80, 250, n)
    dark = rng.uniform(0, 1, n) * (255 - contrast)
    inverted = rng.uniform(0, 1, n) < 0.3
    paper = np.where(inverted, dark, dark + contrast)
    pen = np.where(inverted, dark + contrast, dark)
    slope = rng.uniform(-20, 20, (2, n, 1, 1)) * np.linspace(-1, 1, SIDE)
    noise = rng.normal(0, 1, ink.shape) * rng.uniform(0, 12, (n, 1, 1))
    light = paper[:, None, None] + ink * (pen - paper)[:, None, None]
    light += slope[0].transpose(0, 2, 1) + slope[1] + noise
    return np.clip(np.rint(light), 0, 255).astype(np.uint8)


def render(rng, masters, labels):
    """One picture for each label, of a random family and face: n x SIDE x SIDE uint8."""
    chosen = []
    for label in labels:
        family = masters[rng.integers(len(masters))]
        chosen.append(family[rng.integers(len(family))][label])
    return expose(rng, blur(rng, distort(rng, chosen)))


def balanced(rng, masters, n):
    """n pictures and their labels, each class equally often, in random order."""
    labels = np.arange(n) % len(LABELS)
    rng.shuffle(labels)
    return render(rng, masters, labels), labels


def contact_sheet(pictures, columns):
    rows = [np.concatenate(list(pictures[i:i + columns]), 1)
            for i in range(0, len(pictures), columns)]
    return Image.fromarray(np.concatenate(rows, 0))


def main():
    parser = argparse.ArgumentParser(description="Draw a contact sheet of random samples, one "
                                     "column for each class, to see what the model learns from.")
    parser.add_argument("sheet", help="picture file to write")
    parser.add_argument("--split", choices=["train", "validate", "test"], default="train")
    parser.add_argument("--rows", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    masters = draw_masters(getattr(fonts, args.split.upper()))
    labels = np.tile(np.arange(len(LABELS)), args.rows)
    pictures = render(np.random.default_rng(args.seed), masters, labels)
    contact_sheet(pictures, len(LABELS)).save(args.sheet)


if __name__ == "__main__":
    main()
