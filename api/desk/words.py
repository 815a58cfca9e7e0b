"""The few fixed words of the desk, in both languages."""

from __future__ import annotations

WORDS = {
    "en": {
        "handed_over": "I am passing you on to a colleague, who will answer you here.",
        "draft": "**Draft** (only colleagues see this; send it as it is, change it, or write your own)",
        "no_brief": "Handed over by the assistant.",
        "no_words": "The customer sent something without words (a picture, a file or a voice message).",
        "failed": "The assistant could not answer because of a technical trouble.",
        "wrote": "The customer wrote:",
    },
    "zh": {
        "handed_over": "我为您转接同事，他会在这里回复您。",
        "draft": "**草稿**（仅同事可见；可直接发送、修改，或自己写）",
        "no_brief": "由助手转交。",
        "no_words": "顾客发来的内容没有文字（图片、文件或语音）。",
        "failed": "助手因技术故障未能回答。",
        "wrote": "顾客写道：",
    },
}
