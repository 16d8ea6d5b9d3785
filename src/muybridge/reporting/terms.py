"""The words of statistics that the page uses, each in one plain line where it first appears."""

from dataclasses import dataclass, field

TERMS = {
    "top-1 accuracy": "the share of clips whose first answer is right.",
    "top-5 accuracy": "the share of clips where the right class is among the five most likely answers.",
    "mean class accuracy": "the accuracy of each class by itself, then the mean: a small class counts as much as a "
    "large one.",
    "95 % range": "measured on other clips of the same kind, the accuracy would most likely lie in here. More test "
    "clips make it narrower.",
    "Wilson": "the range from the number of clips alone, as if no two of them were alike.",
    "by source group": "the range when clips cut from the same longer video count together, because they look "
    "alike. Trust this one where it is wider.",
    "leak": "test clips whose longer video was also trained on. The model has seen their scene, so they make the "
    "accuracy look better than it is.",
    "protocol": "how the clips were divided into those to learn from and those to be tested on.",
    "score": "how sure the model says it is of its answer, from 0 to 100 %.",
    "expected calibration error": "how far the scores are from the truth. At 0 %, of the answers with a score of "
    "80 % exactly 80 in 100 are right.",
    "negative log likelihood": "also called log loss, in nats: a penalty for giving the right class a low score. 0 is "
    "perfect; guessing among K classes costs ln K.",
    "loss": "the penalty that training makes smaller. Where it falls for training clips but rises for validation "
    "clips, the model learns its training clips by heart.",
    "validation": "clips that are not learned from; they choose the epoch whose weights are kept.",
    "learning rate": "how large the steps of learning are.",
    "confusion matrix": "each row holds the clips of one true class, each column one answer. Right answers lie on the "
    "outlined diagonal; every other filled cell is a mix-up.",
    "precision": "of the clips given this answer, the share that really are of this class.",
    "F1": "accuracy and precision of a class in one number; it is low when either is.",
    "paired interval": "both models saw the same clips, so the difference is judged clip by clip. If the range holds "
    "0, no difference is shown.",
    "temperature": "what the scores are softened by, so that they fit how often the model is right; 1 changes nothing.",
    "weight": "how much a member counts in the common answer.",
    "calibration error": "short for expected calibration error: how far the scores are from the truth.",
}


@dataclass
class Glossary:
    """Remembers which words a page has explained; the template asks in the order of the page."""

    explained: set[str] = field(default_factory=set)

    def new(self, *terms: str) -> list[tuple[str, str]]:
        """Those of the terms that the page has not explained yet, with their lines."""
        fresh = [term for term in terms if term not in self.explained]
        self.explained.update(fresh)
        return [(term, TERMS[term]) for term in fresh]
