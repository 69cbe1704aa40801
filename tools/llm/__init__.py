"""Asking language models: one question, one typed answer or one typed failure, within a deadline.

`LiveModel` asks, `RecordingModel` asks and keeps, `ReplayModel` answers from what was kept and
makes no call; all three are a `LanguageModel`. Nothing here imports a vendor's client until a
model of that vendor is asked.
"""

from tools.llm.budget import BudgetLimits, DailyBudget
from tools.llm.calls import (
    Answer,
    Attempt,
    Failure,
    LanguageModel,
    LlmCall,
    Outcome,
    Prompt,
)
from tools.llm.live import LiveModel
from tools.llm.parameters import ModelParameters
from tools.llm.prices import PriceList
from tools.llm.recorded import MissingRecording, RecordingModel, ReplayModel
from tools.llm.recordings import Recordings, RecordingsFile
from tools.llm.spending import Spending, SpendingFile, Spent

__all__ = [
    "Answer",
    "Attempt",
    "BudgetLimits",
    "DailyBudget",
    "Failure",
    "LanguageModel",
    "LiveModel",
    "LlmCall",
    "MissingRecording",
    "ModelParameters",
    "Outcome",
    "PriceList",
    "Prompt",
    "RecordingModel",
    "Recordings",
    "RecordingsFile",
    "ReplayModel",
    "Spending",
    "SpendingFile",
    "Spent",
]
