"""Instructions checked by Python's `re` and `str`, NLTK's tokenizers and langdetect.

An independent reading of the rules of `instruction_following`: the expressions that define a rule are
applied as they are, and where a library defines it, that library is asked. NLTK reads the same Punkt
tables as the Rust verifier. Texts are put together from fragments that the rules react to, and every
other one starts from an answer that follows the row's first instruction. The checkers of the 25 ids of
IFEval agree with those of the package if-verifiable 0.1.2 on 46,000 such answers, with NLTK 3.9.2 and,
but for what follows, with 3.10.4; no package was found that ships the other 29.

NLTK 3.10 runs its expressions on the engine `regex`, whose `\\w` and `\\s` are not those of `re` for
combining marks, fractions and control characters; rows with a rule of NLTK's have none of these.

Usage: instruction_following.py SEED ROWS FOLDER
"""
# Requires: nltk==3.10.4 langdetect==1.0.9

import json
import os
import random
import re
import sys

import langdetect
from nltk.tokenize.destructive import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

langdetect.DetectorFactory.seed = 0


def punkt():
    place = "../../environments/src/instruction_following/punkt/english.json"
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), place), encoding="utf-8") as file:
        tables = json.load(file)
    parameters = PunktParameters()
    parameters.abbrev_types = set(tables["abbrev_types"])
    parameters.collocations = {tuple(pair) for pair in tables["collocations"]}
    parameters.sent_starters = set(tables["sentence_starters"])
    parameters.ortho_context.update(tables["ortho_context"])
    return PunktSentenceTokenizer(parameters)


PUNKT = punkt()
TREEBANK = NLTKWordTokenizer()


def tokens(text):
    return [token for sentence in PUNKT.tokenize(text) for token in TREEBANK.tokenize(sentence)]


def sentences(text):
    kept, end = "<prd>", "<stop>"
    starter = r"(Mr|Mrs|Ms|Dr|Prof|Capt|Cpt|Lt|(?:He|She|It|They|Their|Our|We|But|However|That|This)\s|Wherever)"
    text = f" {text}  ".replace("\n", " ")
    text = re.sub(r"(Mrs|Mr|Ms|St|Dr)\.", rf"\1{kept}", text)
    text = re.sub(r"\.(com|net|org|io|gov|edu|me)", rf"{kept}\1", text)
    text = re.sub(r"([0-9])\.([0-9])", rf"\1{kept}\2", text)
    text = re.sub(r"\.\.+", lambda dots: kept * len(dots[0]) + end, text)
    text = text.replace("Ph.D.", f"Ph{kept}D{kept}")
    text = re.sub(r"\s([A-Za-z])\. ", rf" \1{kept} ", text)
    text = re.sub(rf"([A-Z]\.[A-Z]\.(?:[A-Z]\.)?) {starter}", rf"\1{end} \2", text)
    text = re.sub(r"([A-Za-z])\.([A-Za-z])\.([A-Za-z])\.", rf"\1{kept}\2{kept}\3{kept}", text)
    text = re.sub(r"([A-Za-z])\.([A-Za-z])\.", rf"\1{kept}\2{kept}", text)
    text = re.sub(rf" (Inc|Ltd|Jr|Sr|Co)\. {starter}", rf" \1{end} \2", text)
    text = re.sub(r" (Inc|Ltd|Jr|Sr|Co)\.", rf" \1{kept}", text)
    text = re.sub(r" ([A-Za-z])\.", rf" \1{kept}", text)
    for before, after in [(".”", "”."), ('."', '".'), ('!"', '"!'), ('?"', '"?')]:
        text = text.replace(before, after)
    text = re.sub(r"[.?!]", lambda mark: mark[0] + end, text).replace(kept, ".")
    found = [sentence.strip() for sentence in text.split(end)]
    return found[:-1] if not found[-1] else found


def holds(count, relation, limit):
    return count < limit if relation == "less than" else count >= limit


def is_in(text, language):
    try:
        return langdetect.detect(text) == language
    except langdetect.LangDetectException:
        return True


def pieces_filled(pieces):
    inner = pieces[1:-1]
    if any(not piece.strip() for piece in inner):
        return None
    return len([piece for piece in pieces if piece.strip()])


def starred(text):
    return re.split(r"\s?\*\*\*\s?", text)


def found(keyword, text):
    return len(re.findall(keyword, text, re.I))


def last_bare(text):
    return re.sub(r"[^\w\s]", "", text.split()[-1]).lower()


def first_of(value):
    return value if isinstance(value, str) else value[0]


def position(text, keyword, n, m):
    split = sentences(text)
    if len(split) < n:
        return False
    words = tokens(split[n - 1])
    return len(words) >= m and words[m - 1] == first_of(keyword).strip()


def successive(text):
    initials = [word[0].lower() for word in text.split()]
    pairs = list(zip(initials, initials[1:]))
    if any(len(a) != 1 or len(b) != 1 for a, b in pairs):
        return True
    return any(ord(b) - ord(a) == 1 for a, b in pairs)


def nth_paragraph(text, num_paragraphs, nth_paragraph, first_word):
    pieces = text.split("\n\n")
    count = len([piece for piece in pieces if piece.strip()])
    if nth_paragraph > count or not pieces[nth_paragraph - 1].strip():
        return False
    word = pieces[nth_paragraph - 1].split()[0].lstrip("'").lstrip('"')
    return count == num_paragraphs and re.match(r"[^.,?!'\"]*", word)[0].lower() == first_word.lower()


def postscript(text, postscript_marker):
    marker = postscript_marker.strip()
    known = {"P.P.S": r"\s*p\.\s?p\.\s?s.*$", "P.S.": r"\s*p\.\s?s\..*$"}
    return bool(re.findall(known.get(marker, rf"\s*{marker.lower()}.*$"), text.lower(), re.M))


def highlights(text):
    single = [found.strip("*") for found in re.findall(r"\*[^\n\*]*\*", text)]
    double = [found[2:-2] for found in re.findall(r"\*\*[^\n\*]*\*\*", text)]
    return len([inside for inside in single + double if inside.strip()])


def is_json(text):
    text = text.strip()
    for fence in ["```json", "```Json", "```JSON", "```"]:
        text = text.removeprefix(fence)
    try:
        json.loads(text.removesuffix("```").strip())
    except ValueError:
        return False
    return True


def hyphens(text):
    return all(piece == piece.strip() == sentence for piece, sentence in zip(text.split("-"), sentences(text.replace("-", " "))))


def two_responses(text):
    pieces = text.split("******")
    filled = [piece.strip() for piece in pieces if piece.strip()]
    return pieces_filled(pieces) == 2 and filled[0] != filled[1]


def phrase_repeated(text, phrase, small_n):
    own = phrase.split()
    spans = re.findall(rf"{own[0]} .*? {own[-1]}", text)
    if len(spans) != small_n:
        return False
    changes = None
    for span in spans:
        words = span.split()
        if len(words) != len(own):
            return False
        changes = sum(a != b for a, b in zip(words, own))
        if changes > 1:
            return False
    return changes == 1


def composition(text, n_sent, n_words):
    pieces = starred(text)
    for piece in pieces:
        split = sentences(piece)
        if len(split) != n_sent or any(len(tokens(sentence)) != n_words for sentence in split):
            return False
    return pieces_filled(pieces) == 3


def same(text, other):
    return text.strip().lower() == other.strip().lower()


RULES = {
    "keywords:existence": lambda t, keywords: all(found(word, t) for word in keywords),
    "keywords:frequency": lambda t, keyword, frequency, relation: holds(found(keyword.strip(), t), relation, frequency),
    "keywords:word_count_different_numbers": lambda t, keyword, frequency, relation: holds(found(keyword.strip(), t), relation, frequency),
    "keywords:word_once": lambda t, keyword: found(keyword.strip(), t) == 1,
    "count:count_increment_word": lambda t, keyword1, keyword2: (found(keyword1, t), found(keyword2, t)) == (1, 2),
    "keywords:forbidden_words": lambda t, forbidden_words: not any(found(rf"\b{word}\b", t) for word in forbidden_words),
    "keywords:exclude_word_harder": lambda t, keyword: f" {keyword.strip()} " not in t,
    "keywords:letter_frequency": lambda t, letter, let_frequency, let_relation: holds(t.lower().count(letter.lower()), let_relation, let_frequency),
    "letters:letter_counting2": lambda t, letter, let_frequency, let_relation: holds(t.lower().count(letter.lower()), let_relation, let_frequency),
    "letters:letter_counting": lambda t, N, relation: holds(len(re.findall("[a-zA-Z]", t)), relation, N),
    "keywords:no_adjacent_consecutive": lambda t: not successive(t),
    "keywords:palindrome": lambda t: any(word == word[::-1] for word in t.split()),
    "keywords:keyword_specific_position": position,
    "keywords:start_end": lambda t: len(tokens(t)) > 1 and tokens(t)[0].lower() == tokens(t)[-1].lower(),
    "language:response_language": is_in,
    "length_constraints:number_sentences": lambda t, num_sentences, relation: holds(len(PUNKT.tokenize(t)), relation, num_sentences),
    "length_constraints:number_paragraphs": lambda t, num_paragraphs: pieces_filled(starred(t)) == num_paragraphs,
    "paragraphs:paragraphs": lambda t: pieces_filled(starred(t)) == 2,
    "paragraphs:paragraphs2": lambda t: pieces_filled(t.split("\n\n")) == 2,
    "length_constraints:number_words": lambda t, num_words, relation: holds(len(re.findall(r"\w+", t)), relation, num_words),
    "length_constraints:nth_paragraph_first_word": nth_paragraph,
    "detectable_content:number_placeholders": lambda t, num_placeholders: len(re.findall(r"\[.*?\]", t)) >= num_placeholders,
    "detectable_content:postscript": postscript,
    "detectable_format:number_bullet_lists": lambda t, num_bullets: len(re.findall(r"^\s*\*[^\*].*$", t, re.M)) + len(re.findall(r"^\s*-.*$", t, re.M)) == num_bullets,
    "detectable_format:constrained_response": lambda t: any(f"My answer is {answer}." in t for answer in ["yes", "no", "maybe"]),
    "detectable_format:number_highlighted_sections": lambda t, num_highlights: highlights(t) >= num_highlights,
    "detectable_format:multiple_sections": lambda t, section_spliter, num_sections: len(re.split(rf"\s?{section_spliter.strip()}\s?\d+\s?", t)) - 1 >= num_sections,
    "detectable_format:json_format": is_json,
    "detectable_format:title": lambda t: any(title.lstrip("<").rstrip(">").strip() for title in re.findall(r"<<[^\n]+>>", t)),
    "detectable_format:sentence_hyphens": hyphens,
    "detectable_format:square_brackets": lambda t: all(re.fullmatch(r"(?s)\[.*\]", word) for word in t.split()),
    "detectable_format:bigram_wrapping": lambda t: all(a.startswith("<<") and b.endswith(">>") for a, b in zip(t.split()[::2], t.split()[1::2])),
    "combination:two_responses": two_responses,
    "combination:repeat_prompt": lambda t, prompt_to_repeat: t.strip().lower().startswith(prompt_to_repeat.strip().lower()),
    "copy:copy": lambda t, prompt_to_repeat: same(t, prompt_to_repeat),
    "copy:copying_simple": lambda t, prompt_to_repeat: same(t, prompt_to_repeat),
    "copy:copying_multiple": lambda t, prompt_to_repeat, N: len(t.split("******")) == N and all(same(piece, prompt_to_repeat) for piece in t.split("******")),
    "new:copy_span_idx": lambda t, prompt_to_repeat, n_start, n_end: same(t, prompt_to_repeat[n_start:n_end]),
    "copy:repeat_phrase": phrase_repeated,
    "startend:end_checker": lambda t, end_phrase: t.strip().strip('"').lower().endswith(end_phrase.strip().lower()),
    "startend:quotation": lambda t: len(t.strip()) > 1 and t.strip()[0] == '"' == t.strip()[-1],
    "change_case:capital_word_frequency": lambda t, capital_frequency, capital_relation: holds(sum(token.isupper() for token in tokens(t)), capital_relation, capital_frequency),
    "change_case:english_capital": lambda t: t.isupper() and is_in(t, "en"),
    "change_case:english_lowercase": lambda t: t.islower() and is_in(t, "en"),
    "punctuation:no_comma": lambda t: "," not in t,
    "punctuation:punctuation_dot": lambda t: "." not in t,
    "punctuation:punctuation_exclamation": lambda t: "!" not in t,
    "first_word:first_word_answer": lambda t, first_word: bool(t.split()) and t.split()[0].lower() == first_word.strip().lower(),
    "first_word:first_word_sent": lambda t, first_word: all(s.split()[0].lower() == first_word.strip().lower() for s in sentences(t)),
    "last_word:last_word_answer": lambda t, last_word: last_bare(t) == last_word.strip().lower(),
    "last_word:last_word_sent": lambda t, last_word: all(last_bare(s) == first_of(last_word).strip().lower() for s in sentences(t)),
    "count:lowercase_counting": lambda t, N: len(re.findall(r"\b[a-z]+\b", t)) <= N,
    "count:count_unique": lambda t: len(tokens(t)) == len(set(tokens(t))),
    "count:counting_composition": composition,
}

LANGUAGES = "en es pt ar hi fr ru de ja it bn uk th ur ta te bg ko pl he fa vi ne sw kn mr gu pa ml fi".split()

# Rules that ask NLTK.
NLTK = {
    "keywords:keyword_specific_position", "keywords:start_end", "length_constraints:number_sentences",
    "change_case:capital_word_frequency", "count:count_unique", "count:counting_composition",
}

WORDS = ["river", "Moon", "level", "cat", "bread", "So", "now", "Part", "the", "quick", "brown", "fox", "a", "b", "NASA", "U.S.", "été", "Straße", "λόγος", "你好"]
KEYWORDS = ["cat", "river", "a", "So", "now", "ss", "moo?n", "c.t", "b+", "C++", "^the", "x$", r"\bfox", "a|e", "(cat)", "[a-e]{2}", "s(?=o)", "é", "İ", "k", "the quick", "don't", "-"]
PROMPTS = ["Say it.", "Name a river in Spain.", " The quick brown fox ", "Äpfel und Birnen", "a"]
PROSE = [
    "The cat sat quietly on the mat. ", "It was late; nobody came. ", "He said \"stop.\" Then ran. ", "Mr. Smith lives in the U.S. He left. ",
    "Dr. No met Mrs. Gray Jr. on Jan. 5. ", "See www.x.com now. Ok. ", "Acme Inc. It grew. ", "Wait... what? Yes! ", "What?! Really. No way!!! ", "(Hi.) Ok. ",
    "“Hi.” Ok. ", "A Ph.D. helps. ", "John F. Kennedy won at 5 p.m. on Monday. Then he left. ", "e.g. this, i.e. that. Next. ", "I don't think we'll go. ",
    "It costs $5.00, or 50% more. ", "'Tis so, gimme more; I cannot. ", "the old clock strikes twelve. ", "Der Hund schläft heute lange. ", "Le chat regarde la pluie. ",
    "Мы долго говорили о погоде. ", "El tren sale a las nueve. ", "All this is written in plain English words. ", "1. First item\n2. Second item\n", "It is no. 5. yes. ",
    "\u201cWho?\u201d she asked. ", "v. 3.14.15 came out. ", "She (the boss) said: 'no.' ", "So it is. so be it! ", "We wanna go--now. ", "The end... ", "St. Paul's. ",
]
FRAGMENTS = [
    ".", "!", "?", ",", ";", ":", "...", ". ", "? ", "! ", " ", "  ", "\n", "\n\n", "\n\n\n", "***", "\n***\n", "******", "\n******\n", "*", "**", "* ", "\n* ", "\n- ", "-", "--", "–", "—",
    "[", "]", "[name]", "[]", "<<", ">>", "<<Title>>", "<a>", "(", ")", "{", "}", "\"", "'", "''", "`", "``", "“", "”", "‘", "’", "«", "»", "_", "/", "@", "#", "$", "%", "&", "…",
    "1", "2.5", "1,000", "10:30", "http://a.b/c", "x@y.org", "P.S. ", "p. s.", "P.P.S", "Section 1", "Part 2 ", "Part3", "```", "```json\n", "{\"a\": 1}", "[1, 2]", "NaN", "null",
    "My answer is yes.", "My answer is no", "*high*", "**bold**", "ABC", "A1", "Abc", "can't", "CANNOT", "wanna", "gimme ", "'tis", "d'ye", "'s", "n't", "I'll", "ſo", "ß", "İ", "ı", "K", "Σς", "ǅ",
    "\t", "\u00a0", "\u3000", "\u2028", "٣", "，", "。", "<stop>", "<prd>", "said \"no.\"", "e.g.", "vs. ", "Inc. ", "Co. He ", "A.B. It ", "U.S.A. ", "J. ", "Mr.", ".com", ". . .", ").", ".)", "?)", ".\"", "!'",
]
ODD = ["\x1f", "\x1c", "e\u0301", "½", "²", "ⓐ", "हिन्दी", "\x85", "\u200b"]


def text(chance, is_nltk):
    parts = FRAGMENTS + PROSE * 2 + [word + " " for word in WORDS] * 2 + ([] if is_nltk else ODD)
    return "".join(chance.choices(parts, k=chance.choice([0, 1, 2, 3, 5, 8, 13])))


def relation(chance):
    return chance.choice(["less than", "at least"])


def arguments(chance, rule):
    pick, number = chance.choice, chance.randint
    prompt = pick(PROMPTS)
    start = number(0, 5)
    made = {
        "keywords:existence": {"keywords": chance.sample(KEYWORDS, number(1, 2))},
        "keywords:word_once": {"keyword": pick(KEYWORDS)},
        "count:count_increment_word": {"keyword1": pick(KEYWORDS), "keyword2": pick(KEYWORDS)},
        "keywords:forbidden_words": {"forbidden_words": chance.sample(KEYWORDS[:8] + KEYWORDS[14:16] + KEYWORDS[17:], number(1, 2))},
        "keywords:exclude_word_harder": {"keyword": pick(WORDS)},
        "letters:letter_counting": {"N": number(1, 60), "relation": relation(chance)},
        "keywords:keyword_specific_position": {"keyword": pick(["cat", ["so", "x"], ".", "The", "said", "n't", "It", "is"]), "n": number(1, 2), "m": number(1, 4)},
        "language:response_language": {"language": pick(["en", "de", "fr", "ru", "es", "fi", "it"])},
        "length_constraints:number_sentences": {"num_sentences": number(0, 6), "relation": relation(chance)},
        "length_constraints:number_paragraphs": {"num_paragraphs": number(0, 3)},
        "length_constraints:number_words": {"num_words": number(0, 25), "relation": relation(chance)},
        "length_constraints:nth_paragraph_first_word": {"num_paragraphs": 2, "nth_paragraph": number(1, 2), "first_word": pick(["The", "cat", "so", "it"])},
        "detectable_content:number_placeholders": {"num_placeholders": number(0, 2)},
        "detectable_content:postscript": {"postscript_marker": pick(["P.S.", " P.P.S", "P.P.S.", "Note", "the|^so$", "PS?"])},
        "detectable_format:number_bullet_lists": {"num_bullets": number(0, 3)},
        "detectable_format:number_highlighted_sections": {"num_highlights": number(0, 2)},
        "detectable_format:multiple_sections": {"section_spliter": pick(["Section", " Part", "(Part|Section)", "P|S"]), "num_sections": number(0, 2)},
        "combination:repeat_prompt": {"prompt_to_repeat": prompt}, "copy:copy": {"prompt_to_repeat": prompt}, "copy:copying_simple": {"prompt_to_repeat": prompt},
        "copy:copying_multiple": {"prompt_to_repeat": prompt, "N": number(1, 3)},
        "new:copy_span_idx": {"prompt_to_repeat": pick(PROMPTS[:4]), "n_start": start, "n_end": start + number(1, 8)},
        "copy:repeat_phrase": {"phrase": pick(["the old clock strikes twelve", "the cat", "a b a"]), "small_n": number(1, 2)},
        "startend:end_checker": {"end_phrase": pick(["left.", " Ok. ", "now", "!"])},
        "change_case:capital_word_frequency": {"capital_frequency": number(-1, 3), "capital_relation": relation(chance)},
        "first_word:first_word_answer": {"first_word": pick(["The", "so ", "it"])}, "first_word:first_word_sent": {"first_word": pick(["So", "so", "The"])},
        "last_word:last_word_answer": {"last_word": pick(["left", "ok", "now", "it"])}, "last_word:last_word_sent": {"last_word": pick(["ok", "left", ["now", "x"]])},
        "count:lowercase_counting": {"N": number(1, 12)}, "count:counting_composition": {"n_sent": number(1, 2), "n_words": number(2, 4)},
    }
    if rule in ("keywords:frequency", "keywords:word_count_different_numbers"):
        return {"keyword": pick(KEYWORDS), "frequency": number(0, 3), "relation": relation(chance)}
    if rule in ("keywords:letter_frequency", "letters:letter_counting2"):
        return {"letter": pick("aeISk"), "let_frequency": number(0, 6), "let_relation": relation(chance)}
    return made.get(rule, {})


def following(chance, rule, kwargs):
    """An answer that follows an instruction, or nearly."""
    prompt = kwargs.get("prompt_to_repeat", "")
    first, last = kwargs.get("first_word", ""), first_of(kwargs.get("last_word", "x"))
    phrase = kwargs.get("phrase", "a b")
    changed = phrase.split()
    changed[len(changed) // 2] = "x"
    piece = lambda: " ".join(" ".join(chance.sample(["cat", "sat", "mat", "hat"], kwargs.get("n_words", 2) - 1)) + "." for _ in range(kwargs.get("n_sent", 1)))
    prose = lambda: chance.choice(PROSE)
    made = {
        "keywords:start_end": "So it is " + chance.choice(["so", "so.", "SO"]), "keywords:palindrome": "a level field",
        "keywords:no_adjacent_consecutive": "one one one", "paragraphs:paragraphs": prose() + "\n***\n" + prose(), "paragraphs:paragraphs2": prose().strip() + "\n\n" + prose(),
        "length_constraints:nth_paragraph_first_word": "\n\n".join([f"{chance.choice(['', chr(39), chr(34)])}{first}, it is"] * 2),
        "length_constraints:number_paragraphs": "\n***\n".join([prose()] * kwargs.get("num_paragraphs", 1)),
        "detectable_format:constrained_response": "My answer is maybe.", "detectable_format:json_format": "```json\n" + json.dumps({"a": prose()}) + "\n```",
        "detectable_format:title": "<<A title>>", "detectable_format:sentence_hyphens": "So it is.-It was so.", "detectable_format:square_brackets": "[a] [b.]",
        "detectable_format:bigram_wrapping": "<<a b>> <<c d>>", "combination:two_responses": prose() + "******" + prose(), "combination:repeat_prompt": prompt.upper() + " x",
        "copy:copy": prompt.upper(), "copy:copying_simple": f" {prompt} ", "copy:copying_multiple": "\n******\n".join([prompt] * kwargs.get("N", 1)),
        "new:copy_span_idx": prompt[kwargs.get("n_start", 0):kwargs.get("n_end", 0)], "copy:repeat_phrase": ", ".join([" ".join(changed)] * kwargs.get("small_n", 1)),
        "startend:quotation": f'"{prose()}"', "startend:end_checker": prose() + kwargs.get("end_phrase", ""), "first_word:first_word_answer": first.upper() + " x",
        "first_word:first_word_sent": f"{first} it is. {first} what? {first} there!", "last_word:last_word_answer": f"x {last}.\")", "last_word:last_word_sent": f"It is {last}. Not \"{last}!\"",
        "count:counting_composition": "\n***\n".join(piece() for _ in range(3)), "count:count_unique": "Quiet rivers carve deep valleys.", "count:count_increment_word": "{keyword1} {keyword2} {keyword2}".format(**kwargs) if "keyword1" in kwargs else "",
        "keywords:existence": " ".join(kwargs.get("keywords", [])), "keywords:word_once": kwargs.get("keyword", ""),
        "change_case:english_lowercase": "all this is written in plain english words. it was late.",
        "change_case:english_capital": "I THINK A WALK IN THE WOODS IS WHAT I NEED TODAY", "language:response_language": chance.choice(PROSE[17:23]) * 2,
        "keywords:keyword_specific_position": "The cat is so. The said cat is n't It.",
    }
    return made.get(rule) or prose() * chance.randint(1, 3)


def sharpened(chance, rule, kwargs, answer):
    """The arguments with a limit that the answer just meets or just misses, or with what it really has."""
    count = {
        "length_constraints:number_sentences": lambda: ("num_sentences", len(PUNKT.tokenize(answer))),
        "length_constraints:number_words": lambda: ("num_words", len(re.findall(r"\w+", answer))),
        "change_case:capital_word_frequency": lambda: ("capital_frequency", sum(token.isupper() for token in tokens(answer))),
        "keywords:frequency": lambda: ("frequency", found(kwargs["keyword"].strip(), answer)),
        "keywords:letter_frequency": lambda: ("let_frequency", answer.lower().count(kwargs["letter"].lower())),
        "letters:letter_counting": lambda: ("N", max(1, len(re.findall("[a-zA-Z]", answer)))),
        "count:lowercase_counting": lambda: ("N", max(1, len(re.findall(r"\b[a-z]+\b", answer)) - 1)),
        "detectable_content:number_placeholders": lambda: ("num_placeholders", len(re.findall(r"\[.*?\]", answer))),
        "detectable_format:number_highlighted_sections": lambda: ("num_highlights", highlights(answer)),
    }.get(rule)
    if count:
        key, limit = count()
        return {**kwargs, key: limit + chance.randint(0, 1)}
    if rule == "language:response_language":
        guess = [code for code in LANGUAGES if is_in(answer, code)]
        return {"language": guess[0]} if len(guess) == 1 else kwargs
    split = sentences(answer)
    if rule == "keywords:keyword_specific_position" and split:
        n = chance.randrange(len(split))
        words = tokens(split[n])
        m = chance.randrange(len(words)) if words else 0
        return {"keyword": words[m], "n": n + 1, "m": m + 1} if words else kwargs
    if rule.startswith("first_word:") and answer.split():
        return {"first_word": answer.split()[0].swapcase()}
    if rule.startswith("last_word:") and answer.split() and last_bare(answer):
        return {"last_word": last_bare(answer)}
    return kwargs


def obeys(rule, kwargs, answer):
    try:
        return bool(RULES[rule](answer, **kwargs))
    except (IndexError, re.error):
        return False


def variants(answer):
    lines = answer.split("\n")
    texts = [answer, "\n".join(lines[1:]).strip(), "\n".join(lines[:-1]).strip(), "\n".join(lines[1:-1]).strip()]
    return [variant for text in texts for variant in (text, text.replace("*", ""))]


def verdict(row, answer, settings):
    pairs = list(zip(row["instruction_id_list"], row["kwargs"]))
    is_checked = bool(answer.strip()) or settings.get("blank_answers") == "check"
    strict = [is_checked and obeys(rule, kwargs, answer) for rule, kwargs in pairs]
    extras, graded = {}, strict
    if settings.get("checking") == "loose":
        graded = [any(variant.strip() and obeys(rule, kwargs, variant) for variant in variants(answer)) for rule, kwargs in pairs]
        extras["follow_instruction_list_strict"] = strict
    is_share = row.get("grading_mode", settings.get("grading")) == "fraction"
    reward = sum(graded) / len(graded) if is_share else float(all(graded))
    return {"reward": reward, "follow_all_instructions": all(graded), "follow_instruction_list": graded, **extras}


def row(chance):
    rules = chance.sample(sorted(RULES), chance.choice([1, 2, 3, 4]))
    kwargs = [arguments(chance, rule) for rule in rules]
    made = {"responses_create_params": {"input": "?"}, "prompt": "?", "instruction_id_list": rules, "kwargs": kwargs}
    if chance.random() < 0.2:
        made["grading_mode"] = chance.choice(["binary", "fraction"])
    return made


def answer(chance, row):
    """An answer to a row, whose arguments are sharpened by it."""
    made = text(chance, NLTK.intersection(row["instruction_id_list"]))
    if chance.random() < 0.5:
        made = following(chance, row["instruction_id_list"][0], row["kwargs"][0]) + chance.choice(["", "", made[:40]])
    if chance.random() < 0.2:
        made = chance.choice(["Sure:\n", "**", "\n"]) + made + chance.choice(["\nBye.", "**", ""])
    made = made.upper() if chance.random() < 0.05 else made.lower() if chance.random() < 0.05 else made
    pairs = zip(row["instruction_id_list"], row["kwargs"])
    row["kwargs"] = [sharpened(chance, rule, kwargs, made) if chance.random() < 0.6 else kwargs for rule, kwargs in pairs]
    return made


def message(text):
    return {"type": "message", "id": "m", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}]}


def main(seed, rows, folder):
    cases = {"all": {}, "fraction": {"grading": "fraction"}, "loose": {"checking": "loose"}, "blank": {"blank_answers": "check", "grading": "fraction"}}
    for name, settings in cases.items():
        chance = random.Random(f"{seed} {name}")
        os.makedirs(os.path.join(folder, name))
        path = lambda file: open(os.path.join(folder, name, file), "w", encoding="utf-8")
        with path("settings.json") as out:
            json.dump(settings, out)
        with path("tasks.jsonl") as tasks, path("rollouts.jsonl") as rollouts:
            for _ in range(rows // len(cases) + 1):
                task = row(chance)
                said = answer(chance, task)
                print(json.dumps(task), file=tasks)
                print(json.dumps({"response": {"id": "r", "output": [message(said)]}, **verdict(task, said, settings)}), file=rollouts)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
