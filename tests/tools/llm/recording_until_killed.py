"""A process that records without end, and says after each call that it is kept."""

import sys
from itertools import count, repeat
from pathlib import Path

from tests.tools.llm.worlds import PROMPT, View, budget, says, scripted
from tools.llm import ModelParameters, RecordingModel, RecordingsFile

PARAMETERS = ModelParameters(models=("local:llama",))

if __name__ == "__main__":
    live, _ = scripted({"local:llama": repeat(says())})
    with RecordingsFile.open(Path(sys.argv[1])) as file:
        model = RecordingModel(live, PARAMETERS, file)
        for number in count():
            model.ask(PROMPT, View, 30.0, budget())
            print(number, flush=True)
