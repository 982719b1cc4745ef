"""A matrix as a bitmap, drawn with Pillow on the same sheet as the vector picture."""

from __future__ import annotations

import io
import math
from functools import lru_cache
from typing import TYPE_CHECKING

from viz.export import LABEL_SIZE, MARGIN, Sheet, clipped, legend_ends, numbered
from viz.matrix import Matrix, shown
from viz.numbers import number
from viz.palette import ThemeName, colour_at, ink_on, theme

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

Point = tuple[float, float]
FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "segoeui.ttf")
WIDE_FONTS = ("NotoSansCJK-Regular.ttc", "Arial Unicode.ttf", "msyh.ttc", "Hiragino Sans GB.ttc", "unifont.ttf")
"""Tried in turn for a text that the ones before cannot write."""


@lru_cache(maxsize=16)
def _fonts(size: int) -> tuple[Font, ...]:
    """The fonts of this machine, best first; at least the Latin one inside Pillow."""
    from PIL import ImageFont

    found: list[Font] = []
    for names in (FONTS, WIDE_FONTS):
        for name in names:
            try:
                found.append(ImageFont.truetype(name, size))
                break
            except OSError:
                continue
    return (*found, ImageFont.load_default(size))


@lru_cache(maxsize=4096)
def _font(words: str, size: int) -> Font:
    """The first font that knows every letter of a text; the first of all where none does."""
    fonts = _fonts(size)
    for font in fonts:
        # an unknown letter is drawn as the same box as a code point that is none
        box = bytes(font.getmask("\uffff"))
        if all(c.isspace() or bytes(font.getmask(c)) != box for c in set(words)):
            return font
    return fonts[0]


def _write(
    draw: ImageDraw.ImageDraw, at: Point, words: str, size: int, fill: str, anchor: str = "ls", ratio: int = 1
) -> None:
    draw.text((at[0] * ratio, at[1] * ratio), words, fill=fill, font=_font(words, size * ratio), anchor=anchor)


def png(matrix: Matrix, name: ThemeName = "light", pixel_ratio: int = 2) -> bytes:
    """A bitmap of the same sheet as the vector picture, `pixel_ratio` device pixels to the pixel.

    Raises:
        ValueError: `pixel_ratio` outside 1..4.
    """
    from PIL import Image, ImageDraw

    if not 1 <= pixel_ratio <= 4:
        raise ValueError(f"pixel_ratio: expected 1 to 4, got {pixel_ratio}")
    ratio, colours = pixel_ratio, theme(name)
    sheet = Sheet.of(matrix, lambda words, size: _font(words, int(size)).getlength(words))
    image = Image.new("RGB", (sheet.width * ratio, sheet.height * ratio), colours.surface)
    draw = ImageDraw.Draw(image)
    rows, columns = matrix.weights.shape
    _write(draw, (MARGIN, MARGIN + 14), shown(matrix.title), 17, colours.text, ratio=ratio)
    for line, words in enumerate(sheet.reading):
        _write(draw, (MARGIN, MARGIN + 36 + 18 * line), words, 13, colours.muted, ratio=ratio)
    names_y = MARGIN + 24 + 18 * len(sheet.reading) + 14
    middle = sheet.left + columns * sheet.cell / 2
    _write(draw, (middle, names_y), shown(matrix.key_axis), 11, colours.muted, "ms", ratio)

    def turned(at: Point, words: str, size: int, fill: str, angle: float, centred: bool = False) -> None:
        """Words from `at` upwards at `angle`; Pillow only writes level, so they are written aside and turned."""
        font = _font(words, size * ratio)
        length, half = math.ceil(font.getlength(words)) + 2, size * ratio
        paper = Image.new("L", (2 * length, 2 * half), 0)
        ImageDraw.Draw(paper).text(
            (length - (length / 2 if centred else 0), half), words, fill=255, font=font, anchor="lm"
        )
        paper = paper.rotate(angle, resample=Image.Resampling.BICUBIC, expand=True)
        corner = (round(at[0] * ratio - paper.width / 2), round(at[1] * ratio - paper.height / 2))
        image.paste(Image.new("RGB", paper.size, fill), corner, paper)

    turned((MARGIN + 4, sheet.top + rows * sheet.cell / 2), shown(matrix.query_axis), 11, colours.muted, 90, True)
    for position in range(0, columns, sheet.every):
        x, label = sheet.left + sheet.label_line(position), clipped(matrix.key_tokens[position])
        if sheet.slanted:
            turned((x, sheet.top - 8), label, LABEL_SIZE, colours.text, 45)
        else:
            _write(draw, (x, sheet.top - 6), label, LABEL_SIZE, colours.text, "ms", ratio)
    for position in range(0, rows, sheet.every):
        y, label = sheet.top + sheet.label_line(position), clipped(matrix.query_tokens[position])
        _write(draw, (sheet.left - 8, y), label, LABEL_SIZE, colours.text, "rm", ratio)
    _paint_cells(draw, matrix, sheet, name, ratio)
    _paint_legend(draw, matrix, sheet, name, ratio)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _paint_cells(draw: ImageDraw.ImageDraw, matrix: Matrix, sheet: Sheet, name: ThemeName, ratio: int) -> None:
    colours = theme(name)
    stops, fractions = matrix.stops(colours), matrix.fractions()
    rows, columns = matrix.weights.shape
    side = sheet.cell * ratio
    for query in range(rows):
        for key in range(columns):
            x, y = sheet.left * ratio + key * side, sheet.top * ratio + query * side
            hidden = matrix.masked(query, key)
            fill = colours.masked if hidden else colour_at(stops, float(fractions[query, key]))
            draw.rectangle((x, y, x + side - 1, y + side - 1), fill=fill)
            if hidden and sheet.cell >= 8:
                draw.line((x, y + side - 1, x + side - 1, y), fill=colours.masked_hatch, width=ratio)
            elif not hidden and numbered(matrix, sheet, query, key):
                words = number(float(matrix.weights[query, key]), 2)
                at = (sheet.left + sheet.label_line(key), sheet.top + sheet.label_line(query))
                _write(draw, at, words, 11, ink_on(fill), "mm", ratio)
    box = (sheet.left, sheet.top, sheet.left + columns * sheet.cell, sheet.top + rows * sheet.cell)
    draw.rectangle([v * ratio for v in box], outline=colours.line, width=ratio)


def _paint_legend(draw: ImageDraw.ImageDraw, matrix: Matrix, sheet: Sheet, name: ThemeName, ratio: int) -> None:
    colours = theme(name)
    stops = matrix.stops(colours)
    y = sheet.top + matrix.weights.shape[0] * sheet.cell + 26
    for x in range(160 * ratio):
        at = MARGIN * ratio + x
        draw.line((at, y * ratio, at, (y + 10) * ratio), fill=colour_at(stops, x / (160 * ratio - 1)))
    for offset, words, anchor in zip((0, 80, 160), legend_ends(matrix), ("ls", "ms", "rs"), strict=True):
        _write(draw, (MARGIN + offset, y + 23), words, 11, colours.muted, anchor, ratio)
    if matrix.may_attend is not None:
        x = MARGIN + 180
        draw.rectangle((x * ratio, y * ratio, (x + 16) * ratio, (y + 10) * ratio), fill=colours.masked)
        draw.line((x * ratio, (y + 10) * ratio, (x + 16) * ratio, y * ratio), fill=colours.masked_hatch, width=ratio)
        _write(draw, (x + 22, y + 9), "masked", 11, colours.muted, ratio=ratio)
    for line, words in enumerate(sheet.proof):
        _write(draw, (MARGIN, y + 43 + 16 * line), words, 11, colours.muted, ratio=ratio)
