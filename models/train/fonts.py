# SPDX-License-Identifier: Apache-2.0
"""The fonts the glyph model learns from, is tuned on and is tested with.

The split is by family, and families drawn after one another stay on one side: Liberation Sans,
FreeSans and TeX Gyre Heros, for example, are all Helvetica's children and all train. Fonts whose
digits are text figures (EB Garamond, Vollkorn) are left out: their 0 and 1 are not shaped like
anybody else's.
"""
import glob
import os
import sys

PACKAGES = """
    fonts-agave fonts-anonymous-pro fonts-cabin fonts-cantarell fonts-cmu fonts-crosextra-caladea
    fonts-dejavu-core fonts-dejavu-extra fonts-fantasque-sans fonts-firacode fonts-freefont-ttf
    fonts-inconsolata fonts-jetbrains-mono fonts-lato fonts-liberation fonts-linuxlibertine
    fonts-mononoki fonts-open-sans fonts-oxygen fonts-quicksand fonts-roboto-slab
    fonts-roboto-unhinted fonts-sil-andika fonts-sil-charis fonts-sil-gentium fonts-texgyre
""".split()

ROOT = "/usr/share/fonts"
GYRE = "/usr/share/texmf/fonts/opentype/public/tex-gyre"

# family: file name patterns below ROOT, or absolute
TRAIN = {
    "Agave": ["truetype/agave/agave-[br]-autohinted.ttf"],
    "Andika": ["truetype/andika/Andika-*.ttf"],
    "Anonymous Pro": ["truetype/anonymous-pro/Anonymous Pro.ttf",
                      "truetype/anonymous-pro/Anonymous Pro [BI]*.ttf"],
    "Cantarell": ["opentype/cantarell/Cantarell-[BELR]*.otf"],
    "Computer Modern": ["truetype/cmu/cmun%s.ttf" % face for face in
                        "rm bx ti bi sl ss sx si so tt tb st it bmr bmo bbx orm obx btl".split()],
    "Fantasque Sans Mono": ["truetype/fantasque-sans/Normal/TTF/*.ttf"],
    "Fira Code": ["truetype/firacode/FiraCode-*.ttf"],
    "FreeMono": ["truetype/freefont/FreeMono*.ttf"],
    "FreeSans": ["truetype/freefont/FreeSans*.ttf"],
    "FreeSerif": ["truetype/freefont/FreeSerif*.ttf"],
    "Gentium": ["truetype/gentium/Gentium-*.ttf"],
    "Liberation Mono": ["truetype/liberation/LiberationMono-*.ttf"],
    "Liberation Sans": ["truetype/liberation/LiberationSans-*.ttf"],
    "Liberation Sans Narrow": ["truetype/liberation/LiberationSansNarrow-*.ttf"],
    "Liberation Serif": ["truetype/liberation/LiberationSerif-*.ttf"],
    "Open Sans": ["truetype/open-sans/OpenSans-*.ttf"],
    "Quicksand": ["truetype/quicksand/Quicksand-*.ttf"],
    "Roboto": ["truetype/roboto/unhinted/RobotoTTF/Roboto-[BLMRI]*.ttf",
               "truetype/roboto/unhinted/RobotoCondensed-*.ttf"],
    "Roboto Slab": ["opentype/roboto/slab/RobotoSlab-[BLR]*.otf"],
    "TeX Gyre Adventor": [GYRE + "/texgyreadventor-*.otf"],
    "TeX Gyre Bonum": [GYRE + "/texgyrebonum-*.otf"],
    "TeX Gyre Cursor": [GYRE + "/texgyrecursor-*.otf"],
    "TeX Gyre Heros": [GYRE + "/texgyreheros-*.otf"],
    "TeX Gyre Pagella": [GYRE + "/texgyrepagella-*.otf"],
    "TeX Gyre Schola": [GYRE + "/texgyreschola-*.otf"],
    "TeX Gyre Termes": [GYRE + "/texgyretermes-*.otf"],
}

# Unseen in training; what the choices (classes, layers, distortions) were made with.
VALIDATE = {
    "Cabin": ["opentype/cabin/Cabin-*.otf"],
    "Linux Biolinum": ["opentype/linux-libertine/LinBiolinum_R*.otf"],
    "Linux Libertine": ["opentype/linux-libertine/LinLibertine_R*.otf"],
    "Mononoki": ["truetype/mononoki/mononoki-*.ttf"],
    "Oxygen": ["truetype/oxygen/Oxygen*.ttf"],
}

# Unseen in training and in every choice: what the published accuracy is measured with.
TEST = {
    "Caladea": ["truetype/crosextra/Caladea-*.ttf"],
    "Charis SIL": ["truetype/charis/CharisSIL-*.ttf"],
    "DejaVu Sans": ["truetype/dejavu/DejaVuSans.ttf", "truetype/dejavu/DejaVuSans-[BO]*.ttf"],
    "DejaVu Sans Mono": ["truetype/dejavu/DejaVuSansMono*.ttf"],
    "DejaVu Serif": ["truetype/dejavu/DejaVuSerif.ttf", "truetype/dejavu/DejaVuSerif-*.ttf"],
    "Inconsolata": ["truetype/inconsolata/Inconsolata.otf"],
    "JetBrains Mono": ["truetype/jetbrains-mono/JetBrainsMono-[BLMRI]*.ttf"],
    "Lato": ["truetype/lato/Lato-[BILMRS]*.ttf"],
}


def faces(families):
    """The font files of each family, sorted: {family: [path, ...]}. A missing family is fatal."""
    found = {}
    for family, patterns in sorted(families.items()):
        paths = [path for pattern in patterns for path in glob.glob(os.path.join(ROOT, pattern))]
        if not paths:
            sys.exit("The fonts of the family %s are not installed. Please run\n"
                     "  apt-get install %s" % (family, " ".join(PACKAGES)))
        found[family] = sorted(paths)
    return found
