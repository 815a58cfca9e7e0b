"""The texts of labelling, on the page and in the terminal, in English and Chinese."""

from __future__ import annotations

LABEL_TEXTS: dict[str, tuple[str, str]] = {
    "tab_label": ("Label", "标注"),
    "label_task": ("What to label", "标注任务"),
    "label_name": ("Your name", "你的名字"),
    "label_name_hint": ("Labels are kept under it", "标注会记在这个名字下"),
    "label_name_first": ("Type your name above to begin.", "请先在上方填写你的名字。"),
    "label_no_shop": (
        "Labels are kept in a shop's own folder, and this page was opened without one.",
        "标注保存在店铺自己的目录里，而本页没有对应的店铺目录。",
    ),
    "label_no_sample": (
        "Nothing has been drawn for this task yet. Draw a random sample to begin.",
        "这个任务还没有抽样。请先随机抽取一批。",
    ),
    "label_none_text": (
        "This shop's data holds no {unit} with a text, so there is nothing to label yet. Bring a file whose "
        "rows have the kind “{kind}” and a text: shopkeeper data FILE. Or choose another task above.",
        "本店数据里还没有带文字的{unit}，暂时没有可标注的内容。请导入类型为“{kind}”且带文字的记录：shopkeeper data 文件。"
        "也可以在上方选择别的任务。",
    ),
    "label_none_customer": (
        "This shop's data holds no customer who bought, browsed or searched. Bring such events in first: "
        "shopkeeper data FILE.",
        "本店数据里还没有购买、浏览或搜索过的顾客。请先导入这类记录：shopkeeper data 文件。",
    ),
    "label_unit_review": ("review", "评价"),
    "label_unit_inquiry": ("inquiry", "咨询"),
    "label_unit_search": ("search", "搜索"),
    "label_unit_customer": ("customer", "顾客"),
    "label_size": ("How many", "抽取数量"),
    "label_draw": ("Draw a sample", "抽取样本"),
    "label_more": ("Draw more", "再抽一些"),
    "label_all_drawn": ("There is nothing more to draw.", "已经没有更多可以抽取。"),
    "label_progress": ("{done} of {all} labelled by {who}", "{who} 已标注 {done} / {all}"),
    "label_about": ("About: {context}", "关于：{context}"),
    "label_said": ("You said: {label}", "你之前选了：{label}"),
    "label_done": ("Done: you have labelled the whole sample. Thank you!", "全部标注完毕，谢谢！"),
    "label_done_skipped": (
        "Done, except for {n} that you skipped. They come again when you choose the task anew.",
        "除跳过的 {n} 条外已全部标注。重新选择任务后会再次出现。",
    ),
    "label_meanings": ("What the labels mean", "标签说明"),
    "label_examples": ("Examples", "示例"),
    "label_back": ("Back (b)", "上一条（b）"),
    "label_skip": ("Skip (s)", "跳过（s）"),
    "label_keys": (
        "Keys: the character before a label gives it; s skips, b goes back.",
        "键盘：按标签前的字符即可标注，s 跳过，b 返回。",
    ),
    "label_keys_terminal": ("s skip · b back · q quit", "s 跳过 · b 返回 · q 退出"),
    "label_unknown_key": ("Type one of: {keys}", "请输入其中之一：{keys}"),
    "label_labellers": ("Who has labelled", "标注者"),
    "label_labeller": ("Labeller", "标注者"),
    "label_count": ("Labelled", "已标注"),
    "label_unreadable": ("Unreadable answers", "无法读取的回答"),
    "label_nobody": ("Nobody has labelled yet.", "还没有人标注。"),
    "label_agreement": ("Agreement", "一致性"),
    "label_alone": (
        "Agreement is shown once two labellers have labelled the same ones. The language model is one: "
        "shopkeeper label {task} --llm",
        "两位标注者标过相同内容后，这里会显示一致性。语言模型也可以标注：shopkeeper label {task} --llm",
    ),
    "label_pair": ("{one} and {other}", "{one} 与 {other}"),
    "label_same": ("{same} of {n} the same ({share})", "{n} 条中 {same} 条相同（{share}）"),
    "label_kappa": (
        "Cohen's kappa {value} (95 % interval {low} to {high})",
        "Cohen κ {value}（95% 区间 {low} 至 {high}）",
    ),
    "label_weighted": (
        "Weighted by distance {value} ({low} to {high})",
        "按距离加权 {value}（{low} 至 {high}）",
    ),
    "label_undefined": (
        "Kappa cannot be told: both gave one and the same label throughout.",
        "无法计算 κ：双方给出的都是同一个标签。",
    ),
    "label_few": ("Only {n} shared: the figure is rough.", "共同标注仅 {n} 条，数值仅供参考。"),
    "label_confusion": ("Rows: {one}. Columns: {other}.", "行：{one}；列：{other}。"),
    "label_explained": (
        "Kappa is 1 when two always agree and 0 when they agree no more than by chance.",
        "κ 为 1 表示完全一致，为 0 表示与随机一致无异。",
    ),
    "label_gone": (
        "This one is no longer in the sample; here is the next.",
        "这一条已不在样本中，已转到下一条。",
    ),
}
