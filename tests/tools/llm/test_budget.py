"""The budget of a day: held before a call, settled after it, never exceeded by those who ask."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

from tests.tools.llm.worlds import OPENING, HandClock, budget, says, scripted
from tests.tools.llm.worlds import PROMPT as prompt
from tests.tools.llm.worlds import View as schema
from tools.llm import Answer, Failure, Outcome, Spent

TODAY = date(2026, 11, 9)


def dollars(usd: str, tokens: int = 0) -> Spent:
    return Spent(Decimal(usd), tokens)


def test_a_hold_counts_until_it_is_settled_and_then_what_was_spent_counts():
    day = budget(usd=1.0)
    first = day.hold(dollars("0.7"))
    assert first is not None
    assert day.hold(dollars("0.4")) is None
    first.settle(dollars("0.1"))
    assert day.hold(dollars("0.9")) is not None
    assert day.spent(TODAY) == dollars("0.1")
    assert day.left_in_words() == "0.0000 USD and 100000000 tokens are left today"


def test_tokens_are_bounded_as_dollars_are():
    day = budget(tokens=100)
    assert day.hold(dollars("0", 101)) is None
    assert day.hold(dollars("0", 100)) is not None


def test_a_provider_that_bills_more_than_was_held_leaves_nothing_and_not_less():
    day = budget(usd=1.0, tokens=100)
    hold = day.hold(dollars("0.5", 50))
    assert hold is not None
    hold.settle(dollars("2.0", 500))
    assert day.left_in_words() == "0.0000 USD and 0 tokens are left today"


def test_the_last_cent_can_be_spent():
    day = budget(usd=0.3)
    for _ in range(3):
        hold = day.hold(dollars("0.1"))
        assert hold is not None
        hold.settle(hold.most)
    assert day.hold(dollars("0.0000001")) is None


def test_a_new_york_day_has_a_budget_of_its_own_and_a_late_call_is_paid_by_its_day():
    clock = HandClock()
    day = budget(usd=1.0, clock=clock)
    late = day.hold(dollars("1"))
    assert late is not None
    clock.seconds = 14 * 3600.0  # 04:30 UTC the next day, 23:30 New York the same
    assert day.today() == TODAY
    assert day.hold(dollars("1")) is None
    clock.seconds = 15 * 3600.0
    assert day.hold(dollars("1")) is not None
    late.settle(dollars("0.5"))
    assert day.spent(TODAY) == dollars("0.5")
    assert day.spent(date(2026, 11, 10)) == Spent()


def test_threads_together_never_hold_or_spend_more_than_the_limit():
    day = budget(usd=10.0, tokens=5_000)
    rng = random.Random(1)
    wishes = [(Decimal(rng.randint(1, 60)) / 100, rng.randint(1, 50)) for _ in range(800)]
    granted = []

    def ask(wish: tuple[Decimal, int]) -> None:
        hold = day.hold(Spent(*wish))
        if hold is not None:
            part = Spent(wish[0] * Decimal("0.6"), wish[1] // 2)
            granted.append(wish)
            hold.settle(part)
            spent = day.spent(TODAY)
            assert spent.usd <= 10
            assert spent.tokens <= 5_000

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, wishes))
    assert 0 < len(granted) < len(wishes)
    total = sum((usd * Decimal("0.6") for usd, _ in granted), Decimal(0))
    assert day.spent(TODAY).usd == total


def test_questions_that_the_day_cannot_pay_are_not_sent():
    clock = HandClock()
    model, clients = scripted({"anthropic:claude-opus-5-5": [says()] * 50}, clock)
    day = budget(usd=0.5, clock=clock)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: model.ask(prompt, schema, 30.0, day), range(40)))
    answers = [answer for answer in found if isinstance(answer, Answer)]
    broke = [failure for failure in found if isinstance(failure, Failure)]
    assert len(answers) + len(broke) == 40
    assert len(clients["anthropic:claude-opus-5-5"].sent) == len(answers)
    assert day.spent(OPENING.date()).usd == sum(a.call.cost_usd for a in answers) <= Decimal("0.5")


def test_a_question_over_budget_is_a_failure_that_says_how_much_is_missing():
    model, clients = scripted({"anthropic:claude-opus-5-5": []})
    found = model.ask(prompt, schema, 30.0, budget(usd=0.01))
    assert isinstance(found, Failure)
    assert found.kind is Outcome.BUDGET
    assert "0.0100 USD and 100000000 tokens are left today" in found.message
    tokens = found.call.attempts[0].message.split(" USD and ")[1].split()[0]
    assert int(tokens) > 8_192
    assert found.call.cost_usd == 0
    assert clients["anthropic:claude-opus-5-5"].sent == []
