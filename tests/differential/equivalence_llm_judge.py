"""What `equivalence_llm_judge` asks, and what it makes of the answers, by Python's own `re` and `str.format`.

An independent reading of the rules, with the whole of them but the model: which text is the question, the
expected answer and the generated one; which regular expression applies; when an answer is long; the question
to the judge; which part of its reply counts and which label stands first; asking again, the swap, the rescue,
and the rewards. The judge replays what this script makes up for each question, so a question that differs in
one character gets no reply and shows.

Each folder has settings of its own. A rollout without a `reward` is one whose verification must fail.

Usage: equivalence_llm_judge.py SEED ROWS FOLDER
"""

import json
import os
import random
import re
import sys

FOLDERS = 32
MALFORMED = 24
LABELS = [("[[A=B]]", "[[A!=B]]"), ("CORRECT", "INCORRECT"), ("Judgement: yes", "Judgement: no"),
          ("[[2]]", "[[0]]"), ("yes", "yes, but"), ("≡", "≢")]
TEMPLATES = [
    "{question}|{expected_answer}|{generated_answer}",
    "  {{json}} Q: {question}\nGOLD: {expected_answer}\n\n{{CANDIDATE}}: {generated_answer}\n",
    "{generated_answer}{expected_answer}{question}{question}}}{{",
    "Équivalent ?\t{expected_answer}\n===\n{generated_answer}",
]
QUESTION_REGEXES = [None, None, "", r"^QUESTION:\s*(.*)$|</text>\n\n(.*)$", r"#(\d+)", r"\A.*?(?=why)", r"(why)|(\d)"]
ANSWER_REGEXES = [
    r"\(\((.*?)\)\)", r"<final_answer>\s*(.+?)\s*</final_answer>", r"\*\*(.*?)\*\*",
    r"\\boxed\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}", r"\\boxed\{(.*?)\}", r"ANSWER:\s*(.+)",
    r"Answer:\s*```(?:\w+)?\s*([\s\S]*?)\s*```(?=[\s\S]*$)", r"^\s*(\w+)\s*$", r"(?i)answer:\s*(?:(\d+)|(\w+))",
    r"(?<=: )\S+", r"(\S+)\s+\1", r"[^\n]+\Z", r"( *)(b)?", r".*", r"(?P<word>\w+)(?:\.|!)", r"é+|\d{2,}", r"$",
]
FRAGMENTS = [
    "((", "))", "((4))", "(( b ))", "<final_answer>", "</final_answer>", "<final_answer> 42 </final_answer>", "**", "**c**",
    "\\boxed{", "\\boxed{4}", "\\boxed{\\frac{1}{2}}", "{", "}", "{{", "{question}", "ANSWER:", "ANSWER: 4", "Answer: ",
    "answer: x", "Answer:\n```bash\nls -la\n```", "```", "4", "42", "four", "a", "b", "é", "éé", "𝒳", "İ", ".", "!", ":",
    " ", "  ", "\n", "\n\n", "\t", "\x1c", "\u00a0", "\u2028", "\r", "why", "why?", "#7", "QUESTION: how?", "</text>\n\n",
    "The answer is ", "[[A=B]]", "yes",
]
THOUGHT = {"type": "reasoning", "id": "rs", "summary": []}
CALL = {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}"}
CALLED = {"type": "function_call_output", "call_id": "c", "output": "((9))"}


def pieces(chance, most):
    return "".join(chance.choices(FRAGMENTS, k=chance.randint(0, most)))


def part(kind, text):
    return {"type": kind, kind if kind == "refusal" else "text": text} | ({"annotations": []} if kind == "output_text" else {})


def message(content, role="assistant"):
    plain = isinstance(content, str) or any(part["type"] == "input_text" for part in content)
    return {"role": role, "content": content} | ({} if plain else {"type": "message", "id": "m", "status": "completed"})


# ---- The rules. -----------------------------------------------------------------------------------------------

def texts_of(content, kind):
    """The texts of a message's content: its string, or those of its parts of one kind."""
    return [content] if isinstance(content, str) else [part["text"] for part in content if part["type"] == kind]


def cut_out(text, regex):
    if not regex:
        return text
    found = None
    for found in re.finditer(regex, text, re.MULTILINE | re.DOTALL):
        pass
    if found is None:
        return text
    for group in found.groups():
        if group is not None and group.strip():
            return group.strip()
    return found.group(0).strip()


def question_of(row, settings):
    question = ""
    for item in row["responses_create_params"]["input"]:
        texts = texts_of(item["content"], "input_text") if item["role"] == "user" else []
        if texts:
            question = "\n".join(texts).strip()
    return cut_out(question, settings.get("question_extract_regex"))


def expected_of(row):
    return row.get("expected_answer") or str(row["metadata"]["expected_answer"])


def said_last(output):
    for item in reversed(output):
        if item.get("role") == "assistant":
            return "\n".join(texts_of(item["content"], "output_text")).strip()
    return ""


def own_regex(row, settings):
    metadata = row.get("template_metadata")
    counts = settings.get("use_per_record_regex", True) and isinstance(metadata, dict)
    return metadata.get("output_regex") or None if counts else None


class NoVerdict(Exception):
    pass


class Judge:
    """What the judge is asked of one rollout. `replies` says what is replied to a question the n-th time."""

    def __init__(self, settings, replies):
        self.settings, self.replies, self.evaluations = settings, replies, []
        self.labels = [settings.get("judge_equal_label", "[[A=B]]"), settings.get("judge_not_equal_label", "[[A!=B]]")]

    def label(self, output):
        last = output[-1]
        text = last["content"][-1].get("text", "") if last.get("role") == "assistant" else ""
        places = [text.find(label) for label in self.labels]
        if places == [-1, -1]:
            return None
        equal_is_first = places[0] >= 0 and (places[1] < 0 or places[0] < places[1])
        return self.labels[0] if equal_is_first else self.labels[1]

    def is_equal(self, **answers):
        prompt = self.settings["template"].format(**answers)
        system = self.settings.get("judge_system_message")
        asked = [{"role": "system", "content": system, "type": "message"}] if system else []
        asked.append({"role": "user", "content": prompt, "type": "message"})
        params = {**self.settings.get("judge_responses_create_params", {}), "input": asked}
        for _ in range(self.settings.get("judge_attempts", 3)):
            before = [evaluation["responses_create_params"]["input"] for evaluation in self.evaluations].count(asked)
            output = self.replies(asked, before)
            label = self.label(output)
            self.evaluations.append({"responses_create_params": params, "response": {"output": output}, "verdict_label": label})
            if label or self.settings.get("judge_no_label") == "not_equal":
                return label == self.labels[0]
        raise NoVerdict


def reward_of(row, output, settings, judge):
    question, expected, whole = question_of(row, settings), expected_of(row), said_last(output)
    regex, threshold = own_regex(row, settings), settings.get("extraction_length_threshold", 120)
    is_long = regex is not None and threshold is not None and len(expected) > threshold
    if whole:
        generated = cut_out(whole, None if is_long else regex or settings.get("response_extract_regex"))
    else:
        generated = whole = settings.get("msg_extraction_failure", "[NO VALID ANSWER EXTRACTED]")
    if judge.is_equal(question=question, expected_answer=expected, generated_answer=generated):
        if is_long or not settings.get("check_twice_swap", False):
            return 1.0
        is_equal = judge.is_equal(question=question, expected_answer=generated, generated_answer=expected)
        return 1.0 if is_equal else settings.get("reward_if_swap_fails", 0.0)
    if is_long or regex is None or not settings.get("check_full_generation_on_fail", True):
        return 0.0
    is_equal = judge.is_equal(question=question, expected_answer=expected, generated_answer=whole)
    return settings.get("reward_if_full_generation_succeeds", 0.5) if is_equal else 0.0


# ---- What is made up. -----------------------------------------------------------------------------------------

def made_settings(chance, folder):
    settings = {"judge_model": "judge"}
    template = chance.choice(TEMPLATES)
    if chance.random() < 0.5:
        settings["judge_prompt_template"] = template
    else:
        settings["judge_prompt_template_fpath"] = os.path.join(folder, "prompt.txt")
        with open(settings["judge_prompt_template_fpath"], "w", encoding="utf-8") as out:
            out.write(template)
        template = template.strip()
    equal, not_equal = chance.choice([LABELS[0], *LABELS])
    values = {
        "judge_equal_label": [equal], "judge_not_equal_label": [not_equal],
        "judge_system_message": [None, "", "Be fair, {judge}."],
        "judge_responses_create_params": [{}, {"temperature": 0.0}, {"max_output_tokens": 512, "input": []}],
        "judge_no_label": ["fail", "not_equal"], "judge_attempts": [1, 2, 3],
        "judge_endpoint_max_concurrency": [None, 1, 64], "question_extract_regex": QUESTION_REGEXES,
        "response_extract_regex": [None, "", *ANSWER_REGEXES], "msg_extraction_failure": ["", "[NOTHING]"],
        "use_per_record_regex": [True, True, False], "extraction_length_threshold": [None, 0, 3, 8, 120, 120],
        "check_twice_swap": [True, False], "reward_if_swap_fails": [0.0, -1.0, 0.25],
        "check_full_generation_on_fail": [True, True, False], "reward_if_full_generation_succeeds": [0.5, 1.0, 0.0],
    }
    for name, choices in values.items():
        if chance.random() < 0.8 or len(choices) == 1:
            settings[name] = chance.choice(choices)
    if equal == LABELS[0][0] and chance.random() < 0.5:
        del settings["judge_equal_label"], settings["judge_not_equal_label"]
    return settings, {**settings, "template": template}


def made_row(chance, number):
    def content():
        text = chance.choice([f"#{number} ", ""]) + pieces(chance, 4)
        texts = [part("input_text", piece) for piece in ([text] if chance.random() < 0.7 else [text, pieces(chance, 2)])]
        image = {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AAAA"}
        return text if chance.random() < 0.7 else chance.choice([texts, [*texts, image], [image]])
    roles = chance.choices(["user", "user", "user", "system", "assistant"], k=chance.randint(1, 3))
    row = {"responses_create_params": {"input": [{"role": role, "content": content() if role == "user" else "x"} for role in roles]}}
    answer = pieces(chance, 3) or "4"
    if chance.random() < 0.8:
        row["expected_answer"] = answer
    else:
        known = chance.choice([answer, 42, -1.5, 1e22, True, ["a", None, "it's"], {"a": [1.0, "\n"]}])
        row["metadata"] = {"expected_answer": known}
        if chance.random() < 0.5:
            row["expected_answer"] = chance.choice(["", None])
    if chance.random() < 0.75:
        metadata = {"template_id": "t", "output_regex": chance.choice(ANSWER_REGEXES)}
        row["template_metadata"] = chance.choice([*[metadata] * 5, {"output_regex": chance.choice(["", None, False])}, {}, None, "x"])
    for name, value in [("uuid", "u"), ("question", "another?"), ("options", [{"A": "4"}]), ("reward_profiles", [{"pass_rate": 0.5}])]:
        if chance.random() < 0.2:
            row[name] = value
    return row


def made_output(chance):
    def content():
        kinds = chance.choices(["output_text", "output_text", "output_text", "refusal"], k=chance.randint(1, 3))
        return [part(kind, pieces(chance, 5)) for kind in kinds]
    choices = [lambda: message(content()), lambda: message(content()), lambda: message(content()), lambda: message(pieces(chance, 5)),
               lambda: message([part("input_text", pieces(chance, 2))]), lambda: THOUGHT]
    items = [chance.choice(choices)() for _ in range(chance.choice([0, 1, 1, 1, 1, 2, 3]))]
    return items + chance.choice([[], [], [], [CALL], [CALL, CALLED]])


def made_reply(chance, labels):
    words = [*labels, *labels, *labels, labels[0][:-1], labels[1].lower(), "not ", "\n\n", "they are", " equivalent", "**"]
    text = lambda: "".join(chance.choices(words, k=chance.randint(0, 4)))
    texts = [part("output_text", text()) for _ in range(chance.choice([1, 1, 1, 2]))]
    refused = message([*texts, part("refusal", labels[0])])
    return chance.choice([*[[message(texts)]] * 12, [THOUGHT, message(texts)], [message(texts), THOUGHT],
                          [message(texts), CALL], [message([part("output_text", labels[0])]), message(texts)], [refused]])


class Replies:
    """The same reply to the same question; each is made up when it is wanted."""

    def __init__(self, chance, labels):
        self.chance, self.labels, self.known = chance, labels, {}

    def __call__(self, asked, before):
        known = self.known.setdefault(json.dumps(asked), [])
        while len(known) <= before:
            known.append(made_reply(self.chance, self.labels))
        return known[before]

    def records(self):
        for asked, known in self.known.items():
            for output in known:
                yield {"responses_create_params": {"input": json.loads(asked)}, "response": {"id": "j", "output": output}}


def write(folder, name, rows):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)


def cases(chance, folder, count):
    settings, known = made_settings(chance, folder)
    labels = [settings.get("judge_equal_label", "[[A=B]]"), settings.get("judge_not_equal_label", "[[A!=B]]")]
    replies = Replies(chance, labels)
    tasks, rollouts = [], []
    for number in range(count):
        row, output = made_row(chance, number), made_output(chance)
        judge = Judge(known, replies)
        verdict = {"response": {"id": "r", "output": output}}
        try:
            verdict["reward"] = float(reward_of(row, output, known, judge))
            verdict["expected_answer"] = expected_of(row)
        except NoVerdict:
            pass
        verdict["judge_evaluations"] = judge.evaluations
        tasks.append(row)
        rollouts.append(verdict)
    judge = {"kind": "replay", "settings": {"path": os.path.join(folder, "judge.jsonl"), "match": "prompt"}}
    for name, value in [("settings.json", settings), ("models.json", {"judge": judge})]:
        write(folder, name, [value])
    for name, rows in [("tasks.jsonl", tasks), ("rollouts.jsonl", rollouts), ("judge.jsonl", replies.records())]:
        write(folder, name, rows)


def malformed(chance):
    row = made_row(chance, 0)
    while not row.get("expected_answer"):
        row = made_row(chance, 0)
    wrong = chance.choice([
        {"expected_answer": ""}, {"expected_answer": None, "metadata": {}}, {"expected_answer": 4},
        {"expected_answer": ["4"]}, {"expected_answer": None, "metadata": {"expected_answer": None}},
        {"metadata": "x"}, {"options": [1]}, {"template_metadata": {"output_regex": "("}},
        {"template_metadata": {"output_regex": 5}}, {"template_metadata": {"output_regex": ["a"]}},
        {"template_metadata": {"output_regex": "(?<=a+)b"}}, {"responses_create_params": {}},
    ])
    return {**{key: value for key, value in row.items() if key != "metadata"}, **wrong}


def main(seed, rows, folder):
    for number in range(FOLDERS + 1):
        chance, own = random.Random(f"{seed} {number}"), os.path.join(folder, f"{number:02}")
        os.makedirs(own)
        if number < FOLDERS:
            cases(chance, own, rows // FOLDERS + 1)
            continue
        write(own, "settings.json", [{"judge_model": "judge"}])
        write(own, "models.json", [{"judge": {"kind": "scripted", "settings": {"rules": [{"say": "[[A=B]]"}]}}}])
        write(own, "malformed.jsonl", [malformed(chance) for _ in range(MALFORMED)])


main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
