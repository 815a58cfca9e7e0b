"""The ordinary words of questions to a shop. What is none of them, and no name, is an unknown term.

Kept as plain words (English stemmed like the lexicon); a word that is missing here costs at worst a
clarifying question, never a wrong answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.lexicon import stem, tokens

_EN = """
a about above according across actual actually add address advertise advertising after again age aged ago all almost alone along already
also always am amount among an and announce annual another answer any anybody anyone anything apart are area around as ask
at attract audience available average away back base basic basket be became because been before began behave behaviour behavior
being below best better between big bigger biggest both bottom bought brand brief bring browse budget bundle business but buy buyer
buying by calculate call came campaign can cannot carry case categories category change channel characterise characterize
cheap cheaper check child children choose chosen churn city class client close cluster cohort combination combine combined come
coming common compare compared comparison complete completely consider contact could count coupon cross current currently
customer data date day days decline declined decrease deal deep defin define defining demographic department describe description
detail did differ difference different discount display distinct distribution do does doing dollar done down drop during each
earn earning effective either else email end enjoy enough entire especially even ever every everybody everyone everything exactly
example except expect expected expensive explain explore fact fall fallen famili families family far favor favorite favourite
few fewer figure find first fit focus follow following for forecast found frequent frequently frequency from full gave general
get getting gift give given go goe going good got great grew ground group grow growing grown growth had half happen happy hard
has have having he hello help her here hers hi high higher highest him his home homeowner hour house household how however husband
i id idea identify if important in include income increase increased indicate individual info information inside instead
interest interested into introduce invite is it item its itself join just keep kid kind know known large larger largest last late
later latest launch lead learn least leave left less let level life like likeli likely liked line list little live local long longer look
looking lose lost lot love low lower lowest loyal loyalty made mail mainly make making male man manager many market marketing
married match matter may maybe me mean means measure median member men mention message might mine money month monthly more most
mostly move much must my name near nearest necessary need neighbour never new next nice no none nor normal not nothing now
number of off offer offering often old older on once one ones only onto open opinion opposite or order other others our out over
overall overview own owner part particular partner pay paid pair past pattern people per percent percentage period person personal
pick picture piece pitch place plan please plus point popular portion possible potential pre prefer preference preferred present
previous price pricing probability probable probably product profile profitable program promote promotion propensity proportion
propose provide purchase purchased purchaser purchasing push put quantities quantity quarter question quick quickly quite range
rank ranked ranking rarely rate rather reach read ready real really reason receive received recent recently recommend
recommendation recommended record redeem redeemed redeemer redemption regular regularly relate related relevant remind renter
repeat replace report respond response rest result retain return revenue rich right run running said sale sales same say score
season see seem segment sell selling send sent set several share she shop shopped shopper shopping should show side sign
significant similar similarity since single size sku slow small smaller smallest so sold some somebody someone something soon sort source
special specific spend spender spending spent split stand start state statistics stay still stock stop store strategy strong strongly
such suggest suggestion suit suitable sum summarise summarize summary summarization sure take taken talk target targeted targeting
taste tell term test than thank that the their them themselves then there these they thing think this those though through
throughout till time title to today together told too took top total toward track transaction trend tried trip trips true try
turnover twice type typical typically under understand unit units unmarried until up upsell us use used useful user usual usually valuable
value variety various versus very via view visit visited visiting visitor vs want wanted was way we week weekday weekend weekly well
went were what whatever when where whether which while who whole whom whose why wife will wise wish with within without woman women
word work world worse worst worth would write year yearly yes yet you young younger your please id ids numbered breakdown broken
hey ok okay thanks bye evening morning afternoon afford respectively ratio overlap affinity affinities companion companions shows seen
evolve evolved develop developed performance perform performed performing success successful uptake conversion recency frequency monetary
interesting insight insights typically profile profiles explain explained likelihood chance chances odds predict predicted prediction
usually generally altogether combine per-capita capita peak lean busiest busy quiet quietest upset angry complain complaint complaints
brought charge charged suggest instead alternative alternatives substitute substitutes recalled recall out-of-stock unavailable ran
"""  # fmt: skip
_ZH = """
顾客 客户 用户 会员 家庭 消费者 买家 人群 群体 分群 细分 人 大家 所有 全部 全体 每个 每位 各个 各 哪些 哪个 哪种 哪位 哪几 哪一 哪 什么 怎么 怎样 怎么样 如何 为什么 为何 多少 几个 几种 几位 几次 几 多久 何时 什么时候
是 的 了 吗 呢 吧 啊 呀 和 与 跟 及 或 还是 以及 在 从 到 对 给 为 被 把 让 向 往 于 中 里 上 下 内 外 之 其 其中 以 因为 所以 如果 那么 那 这 这个 那个 这位 那位 这些 那些 该 此 它 他 她 他们 她们 它们 我 我们 你 你们 您 咱们 自己
想 想要 要 需要 应该 应 可以 能 能否 能不能 会 会不会 可能 最可能 希望 打算 准备 请 请问 帮 帮我 帮忙 麻烦 告诉 说说 说 讲 介绍 介绍一下 看 看看 查 查询 查一下 查看 分析 统计 计算 列出 列举 给出 显示 展示 比较 对比 解释 说明 描述 总结 概括 找 找出 找到 搜 搜索 有没有 有 没有 没 不 不是 无 未 别
买 购买 买过 买的 买了 买东西 购物 消费 花 花费 花了 花钱 支出 付 付款 到店 来店 光顾 访问 次 次数 频率 频次 金额 消费额 销售 销售额 销量 卖 卖出 卖得 卖了 营业额 收入 利润 单价 均价 价格 价钱 客单价 平均 人均 每次 每人 总 总共 总计 一共 共 合计 总额 总数 数量 件 件数 个 种 位 名 款 样 类 条 元 美元 钱 占 占比 比例 份额 百分比 百分之 率 比率
最 最多 最高 最大 最好 最常 最爱 最喜欢 最近 最早 最后 第一 前 前几 排名 排行 排序 排 榜 多 少 高 低 大 小 好 差 更 比 超过 不到 以上 以下 左右 大约 约 至少 最少 最低 常 常常 经常 通常 一般 平时 主要 特别 特点 特征 不同 相同 一样 相似 类似 像 相近 接近 差不多
喜欢 偏好 喜好 爱 爱好 兴趣 口味 习惯 画像 情况 资料 信息 数据 记录 详情 详细 背景 概况 年龄 性别 职业 地区 婚姻 孩子 小孩 人口 属性 标签 已知 了解 知道 认识
推荐 建议 提供 推 推销 营销 推广 促销 广告 投放 触达 发 发送 发放 送 寄 优惠 优惠券 券 折扣 打折 活动 兑换 兑换率 使用 收到 领取 效果 表现 结果 响应 成绩 转化
商品 产品 东西 货 品类 类别 种类 类型 分类 部门 品牌 牌子 店 商店 超市 门店 店里 我店 本店 店铺 一起 同时 搭配 组合 关联 购物篮 篮子 常见 通常 还 还有 还会 也 都 又 再 就 只 才 很 非常 比较 太 挺 真 其他 其它 别的 另外 此外 除了
年 月 日 天 周 星期 季度 季 今年 去年 明年 月份 每月 每年 每天 每周 每个月 按月 按 分 分别 各自 各月 趋势 变化 走势 增长 下降 上升 下滑 时候 时间 期间 以来 以后 之后 之前 目前 现在 当前 下次 上次 下一 未来 将来 接下来 即将 预计 预测 概率 可能性 机会 几率 流失
问题 答案 意思 原因 理由 依据 根据 基于 关于 有关 方面 地方 部分 整体 整个 全店 全年 范围 水平 程度 值 值得 目标 受众 名单 清单 列表 表 图 报告 谁 谁会 哪儿 哪里 换成 换 一字不差 发我 好的 谢谢 你好 您好 再见 嗨 一下 一些 一点 一个 一位 一种 几 两 三 四 五 六 七 八 九 十 百 千 万 号 编号 只有 是否 做 进行 属于 适合 合适 吸引 促使 刺激 激活 唤回 挽留 复购 回购 重复 新 老 旧 年轻 有孩子 已婚 未婚 租房 有房 投诉 生气 缺货 下架 召回 替代 替换 代替 没货
"""  # fmt: skip

ENGLISH = frozenset(stem(w) for w in _EN.split()) | frozenset(_EN.split())
CHINESE = frozenset(_ZH.split())
_LONGEST = max(map(len, CHINESE))

# Words of questions that also happen to be (parts of) names in shops' catalogues.
NEVER_NAMES = frozenset(
    "products product items item other others misc all value special new seasonal party home offers service "
    "商品 产品 其他 用品 食品 优惠 季节 顾客".split()
)
_FUNCTION = frozenset("的了吗呢吧啊呀和与跟及或在从到对给为被把让向往于中里上下内外之其是有没无都也又再就只才很非常太挺真")
_HAN_RUN = re.compile(r"[\u3400-\u9fff]+")


def content_terms(text: str, free: Sequence[bool]) -> list[tuple[str, int, int]]:
    """Return the stretches of a text that are neither used already nor ordinary words."""
    return sorted([*_english_terms(text, free), *_chinese_terms(text, free)], key=lambda t: t[1])


def _english_terms(text: str, free: Sequence[bool]) -> list[tuple[str, int, int]]:
    runs: list[list[tuple[str, int, int]]] = []
    previous_end = -2
    for word, start, end in tokens(text):
        known = word in ENGLISH or stem(word) in ENGLISH or len(word) < 3 or word.isdigit() or "'" in word
        if known or not all(free[start:end]):
            continue
        if runs and start - previous_end <= 1:
            runs[-1].append((word, start, end))
        else:
            runs.append([(word, start, end)])
        previous_end = end
    return [(text[r[0][1] : r[-1][2]], r[0][1], r[-1][2]) for r in runs]


def _chinese_terms(text: str, free: Sequence[bool]) -> list[tuple[str, int, int]]:
    found: list[tuple[str, int, int]] = []
    for run in _HAN_RUN.finditer(text):
        position, begun, lone = run.start(), None, None
        while position < run.end():
            step = _known_length(text, position, run.end()) if free[position] else 1
            if not free[position] or step:
                _close(found, text, begun, position)
                begun = None
                lone = position if step == 1 and free[position] and text[position] not in _FUNCTION else None
            elif begun is None:
                # 天气: a character that is a word by itself may begin a longer, unknown one
                begun = position if lone is None else lone
            position += step or 1
        _close(found, text, begun, run.end())
    return found


def _close(found: list[tuple[str, int, int]], text: str, begun: int | None, end: int) -> None:
    if begun is not None and end - begun >= 2:
        found.append((text[begun:end], begun, end))


def _known_length(text: str, start: int, end: int) -> int:
    for length in range(min(_LONGEST, end - start), 0, -1):
        if text[start : start + length] in CHINESE:
            return length
    return 0
