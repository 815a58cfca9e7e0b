"""How the page looks: fonts that are on the machine already, calm colours, our own style sheet."""

from __future__ import annotations

from pathlib import Path

from gradio.themes import Base
from gradio.themes.utils import colors, sizes
from gradio.themes.utils.fonts import Font

_HERE = Path(__file__).parent
CSS = (_HERE / "page.css").read_text(encoding="utf-8")
HEAD = "".join(
    f"<script>{(_HERE / name).read_text(encoding='utf-8')}</script>" for name in ("page.js", "label.js")
)

_TEXT = (
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Noto Sans",
    "DejaVu Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Noto Sans CJK SC",
    "sans-serif",
)


def theme() -> Base:
    """Return the theme. Plain `Font`s name installed fonts only: nothing is fetched."""
    return Base(
        primary_hue=colors.teal,
        neutral_hue=colors.slate,
        radius_size=sizes.radius_lg,
        font=[Font(name) for name in _TEXT],
        font_mono=[Font("DejaVu Sans Mono"), Font("monospace")],
    ).set(
        body_background_fill="#f6f8f9",
        body_text_color_subdued="#5b6876",
        body_text_color_subdued_dark="#a3b0be",
        block_label_text_color="#3d4a57",
        block_info_text_color="#5b6876",
        color_accent="#2f7f79",
        border_color_accent="#2f7f79",
        block_border_width="1px",
        block_shadow="none",
        button_primary_background_fill="#2f7f79",
        button_primary_background_fill_hover="#286d68",
        button_primary_text_color="#ffffff",
    )
