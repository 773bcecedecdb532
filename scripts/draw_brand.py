"""Draws Headroom's mark: a roof, three phases under it, and the room between them.

Run it from the checkout: `.venv/bin/python scripts/draw_brand.py`. It writes custom_components/headroom/brand/.
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

BRAND = Path(__file__).parents[1] / "custom_components" / "headroom" / "brand"
OVERSAMPLING = 4
INK = {"": "#1d2b3a", "dark_": "#f2f5f7"}
PHASES = (("#2fbf8f", 0.50), ("#17a2a8", 0.70), ("#2f7fd1", 0.38))
"""Colour of each bar, and how much of the height under the roof it fills."""


def mark(size: int, ink: str) -> Image.Image:
    """Return the mark on a transparent square of `size` pixels."""
    scale = size * OVERSAMPLING
    image = Image.new("RGBA", (scale, scale))
    draw = ImageDraw.Draw(image)

    def dot(x: float, y: float, radius: float) -> None:
        draw.ellipse([(x - radius) * scale, (y - radius) * scale, (x + radius) * scale, (y + radius) * scale], fill=ink)

    def stroke(points: list[tuple[float, float]], width: float) -> None:
        draw.line([(x * scale, y * scale) for x, y in points], fill=ink, width=round(width * scale))
        for x, y in points:
            dot(x, y, width / 2)

    thick = 0.11
    stroke([(thick / 2, 0.40), (0.5, thick / 2 + 0.02), (1 - thick / 2, 0.40)], thick)
    floor, ceiling, width = 1.0, 0.30, 0.19
    for index, (colour, share) in enumerate(PHASES):
        centre = 0.5 + (index - 1) * 0.275
        top = floor - (floor - ceiling) * share
        box = [(centre - width / 2) * scale, top * scale, (centre + width / 2) * scale, floor * scale]
        draw.rounded_rectangle(box, radius=width / 2 * scale, fill=colour)
    return image.resize((size, size), Image.Resampling.LANCZOS)


def logo(height: int, ink: str) -> Image.Image:
    """Return the mark with the name beside it."""
    scale = height * OVERSAMPLING
    font = ImageFont.load_default(scale * 0.62)
    left, top, right, bottom = font.getbbox("Headroom")
    gap = scale * 0.22
    image = Image.new("RGBA", (round(scale + gap + right - left), scale))
    image.paste(mark(scale, ink), (0, 0))
    ImageDraw.Draw(image).text((scale + gap - left, scale * 0.56 - (top + bottom) / 2), "Headroom", font=font, fill=ink)
    return image.resize((image.width // OVERSAMPLING, height), Image.Resampling.LANCZOS)


def main() -> None:
    """Write every image Home Assistant and HACS look for."""
    BRAND.mkdir(parents=True, exist_ok=True)
    for theme, ink in INK.items():
        for density, factor in (("", 1), ("@2x", 2)):
            mark(256 * factor, ink).save(BRAND / f"{theme}icon{density}.png", optimize=True)
            logo(128 * factor, ink).save(BRAND / f"{theme}logo{density}.png", optimize=True)


if __name__ == "__main__":
    main()
