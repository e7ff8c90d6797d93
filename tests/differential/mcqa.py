"""Multiple-choice verdicts by Python's own `re` and `str`.

An independent reading of the rules of `mcqa`: where the Rust verifier scans, this uses the regular
expressions that define the rules. Texts are put together from fragments that the rules react to.

Usage: mcqa.py SEED ROWS FOLDER
"""

import json
import os
import random
import re
import sys

MODES = ["strict_single_letter_boxed", "lenient_boxed", "lenient_answer_colon"]
MARKDOWN = "lenient_answer_colon_md"
LATIN = {"أ": " A", "ب": " B", "ج": " C", "د": " D", "অ": " A", "ব": " B", "ড": " C", "ঢ": " D",
         "Ａ": " A", "Ｂ": " B", "Ｃ": " C", "Ｄ": " D"}

OPTIONS = [
    [{"A": "Circle"}, {"B": "Square"}, {"C": "Red square"}, {"D": "d"}],
    [{"A": "1.5"}, {"B": "x^2"}, {"C": ""}, {"D": "Ελλάς"}, {"E": "none of   these"}],
    [{"A": "yes", "B": "no"}, {"C": "Answer"}, {"note": "n"}],
    [{"a": "Straße"}, {"b": "İstanbul"}, {"c": None}, {"d": "boxed"}],
    [{chr(65 + i): f"item {i}"} for i in range(10)],
]
PATTERNS = [
    r"\\boxed\{\s*([A-Za-z])\s*\}", r"Option Selected:\s*([A-Za-z])\s*", r"ANSWER IS\s*([A-Za-z])\s*",
    r"Answer\s*:\s*(?!Answer)\s*([A-Za-z])\s*", r"Final Choice:\s*([A-Za-z])\s*", r"([", r"choice (\w+)", "",
    r"(?<=: )[a-e]\b", r"answer[^\n]*?:\s*(.+)$", r"(?:\bor\b|and) (\S*)", r"\b([A-E])\b(?!.*\b[A-E]\b)",
    r"\*\*\s*([A-J])\s*\*\*", r"<think>\s*([A-Za-z])\s*</think>", r"\[([A-Za-z])\]", r"(?i:answer)(?: is)?:?\s*\(?([A-J])\)?",
    r"(?s)Answer:.*?([A-E])", r"(?m)^\s*([A-J])[.):]?\s*$", r"(?P<choice>[A-D])(?=\s*(?:because|is))", r"\\text\{(.+?)\}",
    r"(?x) answer \s* : \s* ([a-e])  # the letter", r"[Aa]nswer\W+([^\W\d_])(?![^\W\d_])", r"(?<![A-Za-z])([A-E])\Z", r"\$([^$]*)\$",
    r"(?:item|choice)\s+(?=\d)(\d+)", r"([A-E])(?:[/|&]|\s+or\s+)\1?", r"answer\s*[:：]\s*([أبجدA-D])", r"\x41|\u0042", "(?i)answer: (b)|x{",
]
FRAGMENTS = [
    "\\boxed{", "}", "{", "\\text{", "\\mathbf{", "A", "B", "C", "D", "E", "b", "c", "Z", "Ｂ", "ب", "ড", "ß", "é", " ", "  ",
    "\n", "\t", "\x1c", "\u00a0", ".", ",", ":", ")", "(", "[", "]", "-", "/", "|", "&", "*", "**", "_", "`", "$", "1", "12",
    "Answer", "answer", "ANſWER", "FINAL ANSWER", "Answer:", "Answer: ", "**Answer:** ", "__Answer__: ", "Answer：", "Answers:",
    "Option Selected: ", "ANSWER IS ", "Final Choice: ", "choice ", "Circle", "Square", "red  SQUARE", "d", "x^2", "1.5",
    "ελλάσ", "none of these", "yes", "no", "straße", "STRASSE", "item 3", " or ", " and ", " OR ", "because", "<think>",
    "</think>", "\\boxed{A}", "\\boxed{B}", "\\boxed{\\text{C}}", "\\boxed{D: d}", "\\boxed{{B}}", "Answer: B", "Answer: C\n",
    "is not valid", "A/B", "B or C", "the ",
]


def normalise(text):
    return " ".join(text.lower().split())


def unwrap(text):
    while True:
        found = re.fullmatch(r"\\text\{\s*(.*?)\s*\}", text, re.S)
        if not found:
            return text
        text = found.group(1)


def transliterated(text):
    for letter, latin in LATIN.items():
        text = text.replace(letter, latin)
    return text


def is_letter(key):
    return len(key) == 1 and key.isalpha()


def allowed(options, boxes):
    letters = set()
    for option in options:
        keys = list(option)[:1] if boxes == "first" else list(option)
        letters |= {key.upper() for key in keys if is_letter(key) and option[key] is not None}
    return letters


def pairs(options, letters):
    for option in options:
        for key, text in option.items():
            if is_letter(key) and key.upper() in letters and text is not None:
                yield key.upper(), normalise(text)


def by_text(text, options, letters):
    return next((letter for letter, option in pairs(options, letters) if option == normalise(text)), None)


def last_box(text):
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth = 1
    for end in range(start + 7, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[start + 7:end].strip()
    return None


def strict(text, letters, boxes):
    if boxes == "first":
        found = re.search(r"\\boxed\{\s*[^A-Za-z]*([A-Z])[^A-Za-z]*\s*\}", text)
    else:
        inside = last_box(text)
        if inside is None:
            return None
        inside = unwrap(inside)
        found = re.search(r"^[^A-Za-z]*([A-Z])[^A-Za-z]*$", inside)
        if boxes == "last_labelled":
            found = found or re.match(r"\s*([A-Z])\s*[:).\-]", inside)
    return found.group(1) if found and found.group(1) in letters else None


def lenient(text, options, letters, boxes):
    letter = strict(text, letters, boxes)
    if letter:
        return letter
    if boxes == "first":
        found = re.search(r"\\boxed\{\s*(.*?)\s*\}", text, re.S)
        inside = found.group(1) if found else None
    else:
        inside = last_box(text)
    if inside is None:
        return None
    candidates = [normalise(inside), normalise(unwrap(inside))]
    hits = set()
    for option in options:
        keys = [key for key in option if is_letter(key) and key.upper() in letters and option[key] is not None]
        for key in keys[:1] if boxes == "first" else keys:
            wanted = normalise(option[key])
            if wanted and any(wanted in candidate for candidate in candidates):
                hits.add(key.upper())
    return hits.pop() if len(hits) == 1 else None


def colon(text, options, letters):
    found = re.search(r"(?i)answer\s*:\s*(.+)", text)
    if not found:
        return None
    candidate = unwrap(found.group(1)).strip()
    if is_letter(candidate) and candidate.upper() in letters:
        return candidate.upper()
    return by_text(candidate, options, letters)


def lists_several(payload, letters):
    found = list(re.finditer(r"(?<![A-Za-z])([A-Za-z])(?![A-Za-z])", payload))
    for one, two in zip(found, found[1:]):
        a, b = one.group(1).upper(), two.group(1).upper()
        gap = payload[one.end():two.start()]
        separator = re.fullmatch(r"(?i)(?:\s*[/|&,;]\s*|\s+(?:or|and)\s+|\s+)", gap)
        if a != b and a in letters and b in letters and separator:
            return True
    return False


def markdown(text, letters):
    payloads = re.findall(r"(?im)[*_]{0,2}Answer[*_]{0,2}\s*:[*_\s]{0,2}(.+)", text)
    for payload in reversed(payloads):
        payload = transliterated(payload).strip().strip("*_` \t\n\r.,;:")
        if lists_several(payload, letters):
            continue
        found = re.match(r"([a-zA-Z])(?![a-zA-Z0-9])", payload)
        found = found or re.search(r"\b([A-Z])\b(?!.*\b[A-Z]\b)", payload, re.S)
        letter = payload if len(payload) == 1 else found.group(1) if found else ""
        if letter.upper() in letters:
            return letter.upper()
    return None


def captured(pattern, text, options, letters):
    try:
        found = re.findall(pattern, text, re.I)
    except re.error:
        return None
    if not found:
        return None
    capture = transliterated(found[-1]).strip().upper()
    return capture if is_letter(capture) else by_text(capture, options, letters)


def choice(row, text, settings):
    boxes = settings.get("boxes", "last")
    options = row["options"]
    letters = allowed(options, boxes)
    text = text.strip()
    if not text:
        return None
    patterns = row.get("template_metadata", {}).get("output_regex", [])
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        letter = captured(pattern, text, options, letters)
        if letter is not None:
            return letter
    mode = settings.get("grading_mode") or row["grading_mode"]
    if mode == "strict_single_letter_boxed":
        return strict(text, letters, boxes)
    if mode == "lenient_boxed":
        return lenient(text, options, letters, boxes)
    return colon(text, options, letters) if mode == "lenient_answer_colon" else markdown(text, letters)


def row(random):
    options = random.choice(OPTIONS)
    made = {"responses_create_params": {"input": "?"}, "options": options}
    made["expected_answer"] = random.choice(sorted(allowed(options, "last")))
    made["grading_mode"] = random.choice(MODES)
    if random.random() < 0.3:
        patterns = random.sample(PATTERNS, random.randint(1, 3))
        made["template_metadata"] = {"output_regex": patterns[0] if len(patterns) == 1 else patterns}
    return made


def message(text):
    return {"type": "message", "id": "m", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}]}


def main(seed, rows, folder):
    cases = {"last": {}, "first": {"boxes": "first"}, "labelled": {"boxes": "last_labelled"}, "markdown": {"grading_mode": MARKDOWN}}
    for name, settings in cases.items():
        chance = random.Random(f"{seed} {name}")
        os.makedirs(os.path.join(folder, name))
        path = lambda file: open(os.path.join(folder, name, file), "w", encoding="utf-8")
        with path("settings.json") as out:
            json.dump(settings, out)
        with path("tasks.jsonl") as tasks, path("rollouts.jsonl") as rollouts:
            for _ in range(rows // len(cases) + 1):
                task = row(chance)
                texts = ["".join(chance.choices(FRAGMENTS, k=chance.randint(0, 9))) for _ in range(chance.choice([1, 1, 1, 2]))]
                letter = choice(task, "\n".join(texts), settings)
                verdict = {"response": {"id": "r", "output": [message(text) for text in texts]},
                           "reward": float(letter == task["expected_answer"]),
                           "expected_answer": task["expected_answer"], "extracted_answer": letter}
                print(json.dumps(task), file=tasks)
                print(json.dumps(verdict), file=rollouts)


main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
