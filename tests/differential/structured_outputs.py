"""Structured answers by the libraries that NeMo Gym uses.

Random schemas of draft 2020-12, values that are made to fit them and then spoiled, written in each of the
formats and spoiled again. The verdict is that of `openapi-schema-validator`, with the schema made strict as
the rules say, and of Python's own or the usual parsers.

Left out are inputs on which the Rust verifier is known to differ: whole numbers beyond 64 bits in TOML, a colon before
a comma or bracket in YAML, schemas inside of which `$schema` names another draft, and references on which the Python
validator crashes.

Usage: structured_outputs.py SEED ROWS FOLDER
"""
# Requires: jsonschema==4.25.1 openapi-schema-validator==0.6.3 pyyaml==6.0.3 xmltodict==1.0.4

import csv
import io
import json
import os
import random
import sys
import tomllib
import warnings

import xmltodict
import yaml
from openapi_schema_validator import OAS31Validator, validate

warnings.simplefilter("ignore")
NAMES = ["name", "age", "tags", "a", "b", "items", "x y", "é", "kind"]
TEXTS = ["", "a", "abc", "Spring", "12", "12\n", "٣", "true", "2024-05-01", "x-1", "é", "null", "1.5", " a ", "yes"]
NUMBERS = [0, 1, 2, 3, -1, 12, 1.0, 0.3, 0.5, 19.99, 2.5, 1e3, 10**20, 1e308, float("nan"), float("inf")]
PATTERNS = [r"^\d+$", r"^[a-z]+$", "a", r"^[A-Z]\w*$", r"^\w-\d$", r"(?<=1)2", r"^(?!x)", r"^$"]
BROKEN = [r"\p{L}", "(", r"\u{61}", "(?<=a+)b"]
TYPES = ["string", "integer", "number", "boolean", "null", "array", "object"]


def strictify(value):
    if isinstance(value, dict):
        if "properties" in value:
            value["required"] = list(value["properties"].keys())
            value["additionalProperties"] = False
        for inside in list(value.values()):
            strictify(inside)


class Maker:
    """Makes schemas, and values for them."""

    def __init__(self, chance):
        self.chance = chance

    def pick(self, *choices):
        return self.chance.choice(choices)

    def often(self, share):
        return self.chance.random() < share

    def value(self, depth=0):
        kind = self.chance.randint(0, 6 if depth < 2 else 4)
        if kind == 0:
            return self.pick(None, True, False)
        if kind in (1, 2):
            return self.chance.choice(TEXTS)
        if kind in (3, 4):
            return self.chance.choice(NUMBERS)
        if kind == 5:
            return [self.value(depth + 1) for _ in range(self.chance.randint(0, 3))]
        return {self.chance.choice(NAMES): self.value(depth + 1) for _ in range(self.chance.randint(0, 3))}

    def schema(self, depth=0):
        if depth > 3 or self.often(0.05):
            return self.pick(True, {}, {"type": "string"}, {"type": "integer"}, False)
        if self.often(0.1):
            return {"$ref": self.pick("#", "#/$defs/one", "#/$defs/two", "#/$defs/none", "#/components/schemas/a",
                                      "#here", "other.json", "#/properties/name", "http://example.com/two")}
        made = {}
        kind = self.pick("object", "object", "array", "string", "number", "any")
        getattr(self, "of_" + kind)(made, depth)
        if self.often(0.1):
            made["enum"] = [self.value() for _ in range(self.chance.randint(1, 4))]
        if self.often(0.05):
            made["const"] = self.value()
        if self.often(0.25):
            self.combine(made, depth)
        if self.often(0.05):
            made[self.pick("title", "description", "format", "$comment")] = self.chance.choice(["date", "text"])
        keys = list(made)
        self.chance.shuffle(keys)
        return {key: made[key] for key in keys}

    def of_any(self, made, depth):
        if self.often(0.7):
            made["type"] = self.chance.sample(TYPES, self.chance.randint(1, 3))

    def of_string(self, made, depth):
        made["type"] = "string"
        if self.often(0.3):
            made["minLength"] = self.pick(0, 1, 2.0, 3)
        if self.often(0.2):
            made["maxLength"] = self.pick(0, 2, 5)
        if self.often(0.3):
            made["pattern"] = self.chance.choice(PATTERNS)

    def of_number(self, made, depth):
        made["type"] = self.pick("integer", "number", ["number", "null"], ["integer", "string"])
        for key in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]:
            if self.often(0.15):
                made[key] = self.pick(0, 1, 2.5, 10, -3, 1e20)
        if self.often(0.25):
            made["multipleOf"] = self.pick(1, 2, 0.1, 0.01, 0.5, 3, 1e-300)

    def of_array(self, made, depth):
        if self.often(0.9):
            made["type"] = "array"
        if self.often(0.7):
            made["items"] = self.schema(depth + 1)
        if self.often(0.2):
            made["prefixItems"] = [self.schema(depth + 1) for _ in range(self.chance.randint(1, 2))]
        for key, share in [("minItems", 0.2), ("maxItems", 0.2), ("minContains", 0.1), ("maxContains", 0.1)]:
            if self.often(share):
                made[key] = self.chance.randint(0, 3)
        if self.often(0.2):
            made["contains"] = self.schema(depth + 1)
        if self.often(0.2):
            made["uniqueItems"] = True
        if self.often(0.1):
            made["unevaluatedItems"] = self.pick(False, {"type": "string"})

    def of_object(self, made, depth):
        if self.often(0.9):
            made["type"] = "object"
        if self.often(0.85):
            names = self.chance.sample(NAMES, self.chance.randint(0, 4))
            made["properties"] = {name: self.schema(depth + 1) for name in names}
        if self.often(0.3):
            made["required"] = self.chance.sample(NAMES, 2)
        if self.often(0.2):
            made["additionalProperties"] = self.pick(True, False, {"type": "string"})
        if self.often(0.15):
            made["patternProperties"] = {self.pick("^a", "e$", "^[^x]*$", r"^\w$"): self.schema(depth + 1)}
        if self.often(0.1):
            made["propertyNames"] = {"maxLength": self.pick(1, 4)}
        if self.often(0.1):
            made["dependentRequired"] = {self.chance.choice(NAMES): self.chance.sample(NAMES, 1)}
        if self.often(0.1):
            made["dependentSchemas"] = {self.chance.choice(NAMES): self.schema(depth + 1)}
        for key in ["minProperties", "maxProperties"]:
            if self.often(0.08):
                made[key] = self.chance.randint(0, 4)
        if self.often(0.15):
            made["unevaluatedProperties"] = self.pick(False, {"type": "integer"})

    def combine(self, made, depth):
        key = self.pick("anyOf", "oneOf", "allOf", "not", "if")
        if key == "not":
            made[key] = self.schema(depth + 1)
        elif key == "if":
            made.update({key: self.schema(depth + 1), "then": self.schema(depth + 1), "else": self.schema(depth + 1)})
        else:
            made[key] = [self.schema(depth + 1) for _ in range(self.chance.randint(1, 3))]
            if self.often(0.15):
                made["discriminator"] = self.pick({"propertyName": "kind"}, {}, {"propertyName": "kind", "mapping": {
                    "a": "#/$defs/one", "abc": "#/$defs/none", "12": 5}})

    def root(self):
        made = self.schema()
        if not isinstance(made, dict):
            return made if self.often(0.1) else self.root()
        if self.often(0.8):
            made["$defs"] = {"one": self.schema(2), "two": self.schema(2)}
            if self.often(0.3) and isinstance(made["$defs"]["one"], dict):
                made["$defs"]["one"]["$anchor"] = "here"
            if self.often(0.2) and isinstance(made["$defs"]["two"], dict):
                made["$defs"]["two"]["$id"] = "http://example.com/two"
        if self.often(0.3):
            made["components"] = {"schemas": {"a": self.schema(2)}}
        if self.often(0.1):
            made["$id"] = self.pick("http://example.com/root", "other.json", "urn:x:y")
        if self.often(0.1):
            made["$schema"] = self.pick("https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#")
        return made

    def fitting(self, schema, root, depth=0):
        """A value that has a chance to fit."""
        if not isinstance(schema, dict) or depth > 6 or self.often(0.03):
            return self.value(1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.chance.choice(schema["enum"])
        reference = schema.get("$ref", "")
        if reference.startswith("#/$defs/"):
            return self.fitting(root.get("$defs", {}).get(reference[8:]), root, depth + 1)
        for key in ["anyOf", "oneOf", "allOf"]:
            if key in schema and self.often(0.6):
                return self.fitting(self.chance.choice(schema[key]), root, depth + 1)
        kind = schema.get("type")
        kind = self.chance.choice(kind) if isinstance(kind, list) else kind
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else None
        if kind == "object":
            made = {name: self.fitting(inside, root, depth + 1) for name, inside in schema.get("properties", {}).items()}
            if self.often(0.1) and made:
                made.pop(self.chance.choice(list(made)))
            if self.often(0.1):
                made[self.chance.choice(NAMES)] = self.value(1)
            return made
        if kind == "array":
            count = self.chance.randint(0, 3)
            return [self.fitting(schema.get("items"), root, depth + 1) for _ in range(count)]
        if kind == "string":
            return self.chance.choice(TEXTS)
        if kind == "integer":
            return self.pick(0, 1, 2, 3, 12, 1.0, -1)
        if kind == "number":
            return self.chance.choice(NUMBERS)
        return {"boolean": True, "null": None}.get(kind, self.value(1))


# Formats: how an answer is written, read, and given types.

def to_int(text):
    return int(text)


def to_bool(text):
    words = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]


READERS = {"integer": to_int, "number": float, "boolean": to_bool}


def scalar(kind, text):
    try:
        return READERS[kind](text) if kind in READERS else text
    except ValueError:
        return text


def coerce_xml(value, schema):
    kind = schema.get("type") if isinstance(schema, dict) else None
    if not isinstance(kind, str):
        return value
    if kind == "object" and isinstance(value, dict):
        properties = schema.get("properties", {})
        return {key: coerce_xml(inside, properties[key]) if key in properties else inside for key, inside in value.items()}
    if kind == "array":
        if isinstance(value, dict) and len(value) == 1:
            value = next(iter(value.values()))
        value = [] if value is None else value if isinstance(value, list) else [value]
        return [coerce_xml(item, schema.get("items")) for item in value]
    if kind == "string" and value is None:
        return ""
    return scalar(kind, value) if isinstance(value, str) else value


def coerce_cell(text, kind):
    if isinstance(kind, list):
        if text == "":
            return None if "null" in kind else text
        for one in kind:
            if one == "string":
                return text
            read = scalar(one, text)
            if not isinstance(read, str):
                return read
        return text
    return scalar(kind, text) if text != "" and isinstance(kind, str) else text


def coerce_csv(rows, schema):
    item = schema.get("items", schema) if isinstance(schema, dict) else {}
    columns = item.get("properties", {}) if isinstance(item, dict) else {}
    cell = lambda key, text: coerce_cell(text, columns[key].get("type")) if (
        isinstance(text, str) and isinstance(columns.get(key), dict)) else text
    return [{key: cell(key, text) for key, text in row.items()} for row in rows]


def write_toml(value):
    def inline(value):
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            return json.dumps(value)
        if isinstance(value, float):
            return {"nan": "nan", "inf": "inf", "-inf": "-inf"}.get(str(value), repr(value))
        if isinstance(value, list):
            return "[" + ", ".join(inline(item) for item in value) + "]"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{json.dumps(key)} = {inline(item)}" for key, item in value.items()) + "}"
        return '""' if value is None else str(value)
    return "".join(f"{json.dumps(key)} = {inline(item)}\n" for key, item in value.items())


def write_xml(value):
    def element(name, value):
        name = "".join(letter if letter.isalnum() else "_" for letter in name) or "_"
        if isinstance(value, list):
            return "".join(element(name, item) for item in value)
        if isinstance(value, dict):
            return f"<{name}>" + "".join(element(key, item) for key, item in value.items()) + f"</{name}>"
        text = "" if value is None else str(value).replace("&", "&amp;").replace("<", "&lt;")
        return f"<{name}>{text}</{name}>"
    return "".join(element(key, item) for key, item in value.items())


def write_csv(rows):
    out = io.StringIO()
    rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    names = list({key: None for row in rows for key in row})
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([[row.get(name, "") for name in names] for row in rows])
    return out.getvalue()


def parse(kind, text, schema):
    if kind == "json":
        return json.loads(text)
    if kind == "yaml":
        return yaml.safe_load(text)
    if kind == "toml":
        return tomllib.loads(text)
    if kind == "xml":
        return coerce_xml(xmltodict.parse(text), schema)
    return coerce_csv([dict(row) for row in csv.DictReader(io.StringIO(text))], schema)


def write(kind, value, make):
    if kind == "json" or not isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=make.often(0.5), indent=make.pick(None, 1))
    if kind == "yaml":
        style = make.pick(None, True, False)
        return yaml.safe_dump(value, allow_unicode=True, default_flow_style=style) if make.often(0.7) else plain_yaml(value)
    if kind == "toml":
        return write_toml(value if isinstance(value, dict) else {"items": value})
    if kind == "xml":
        return write_xml(value if isinstance(value, dict) and len(value) == 1 else {"root": value})
    return write_csv(value)


def plain_yaml(value, indent=""):
    """As models write it: nothing is quoted."""
    if isinstance(value, dict) and value:
        return "".join(f"{indent}{key}:{after(item, indent)}" for key, item in value.items())
    if isinstance(value, list) and value:
        return "".join(f"{indent}-{after(item, indent)}" for item in value)
    return f"{indent}{json.dumps(value) if isinstance(value, (dict, list)) else value}\n"


def after(value, indent):
    return "\n" + plain_yaml(value, indent + "  ") if isinstance(value, (dict, list)) and value else " " + plain_yaml(value)


SPOILERS = {
    "json": ["", ",", "}", "]", "\"", " ", "```", "1", "NaN", "\\", "\n", ":", "'", "\ufeff"],
    "yaml": ["", ":", "- ", "yes", "017", "1:30", "1_000", "1e3", "1.0e+3", "2024-05-01", "2024-13-01", "~", "\n", "#x\n", "---\n",
             "&a ", "*a", "!!str ", "'", "\"", "|\n", "0x1F", ".inf", "=", "<<: {a: 1}\n", "\t", ",", "}"],
    "toml": ["", "=", "\n", "a = 1\n", "1979-05-27", "07:32:00", "0x1F", "1_000", "nan", "'''", "\"", "[a]\n", "[[items]]\n", "#x\n", ",", "\\"],
    "xml": ["", "<", ">", "&amp;", "&x;", "&#65;", "<a/>", "<a>", "</a>", " a=\"1\"", "\n", "<!-- x -->", "<?xml version=\"1.0\"?>",
            "<![CDATA[<]]>", "]]>", " ", "<?p x?>", "\x01", "&"],
    "csv": ["", ",", "\n", "\"", "\r\n", "\r", "x", "\n\n", " ", "1", "true", "\"\""],
}


def spoiled(kind, text, make):
    for _ in range(make.pick(0, 0, 0, 1, 1, 2)):
        at = make.chance.randint(0, len(text))
        text = text[:at] + make.chance.choice(SPOILERS[kind]) + text[at + make.pick(0, 0, 1):]
    return text


def verdict(kind, text, schema):
    """The error type; `None` for an answer that earns 1."""
    if not text.strip():
        return "empty_response"
    try:
        value = parse(kind, text, schema)
    except Exception:
        return "parse_error"
    return fits(value, schema)


def fits(value, schema):
    try:
        validate(value, schema)
    except Exception:
        return "validation_error"
    return None


def is_known_to_differ(kind, text):
    if kind == "yaml":
        return any(":" + next in text for next in ",?[]{}")
    if kind == "toml":
        return any(len(word) > 17 for word in "".join(c if c.isdigit() else " " for c in text).split())
    return False


def tool_verdict(task, schema, calls):
    if len(calls) != 1:
        return "missing_tool_call" if not calls else "multiple_tool_calls"
    call = calls[0]
    if task.get("tool_name") and call["name"] != task["tool_name"]:
        return "wrong_tool_name"
    try:
        value = json.loads(call["arguments"])
    except ValueError:
        return "tool_arguments_parse_error"
    key = task.get("tool_payload_key")
    if key:
        if not isinstance(value, dict) or key not in value:
            return "missing_tool_payload_key"
        value = value[key]
    return fits(value, schema)


def text_case(kind, make):
    """A task, the model's output, and the error type."""
    source = make.root()
    if kind in ("xml", "toml") and make.often(0.8):
        if isinstance(source, dict):
            source.pop("$schema", None)
        source = {"type": "object", "properties": {make.chance.choice(NAMES): source for _ in range(make.pick(1, 1, 2))}}
    if kind == "csv" and make.often(0.9):
        columns = {name: {"type": make.pick("string", "integer", "number", "boolean", ["integer", "null"], ["number", "string"])}
                   for name in make.chance.sample(NAMES, make.chance.randint(1, 3))}
        source = {"type": "array", "items": {"type": "object", "properties": columns}}
    schema = json.loads(json.dumps(source))
    strictify(schema)
    OAS31Validator.check_schema(schema)
    text = spoiled(kind, write(kind, make.fitting(source, source), make), make)
    if is_known_to_differ(kind, text):
        raise NotImplementedError
    task = {"schema_str": json.dumps(source), "schema_type": kind}
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}
    return task, [message], verdict(kind, text, schema)


def tool_case(make):
    source = make.root()
    schema = json.loads(json.dumps(source))
    strictify(schema)
    OAS31Validator.check_schema(schema)
    task = {"schema_str": json.dumps(source), "schema_type": "json", "response_mode": "tool_call"}
    if make.often(0.7):
        task["tool_name"] = make.pick("extract", "summary")
    if make.often(0.5):
        task["tool_payload_key"] = make.pick("extraction", "summary")
    calls = []
    for index in range(make.pick(0, 1, 1, 1, 1, 1, 2)):
        value = make.fitting(source, source)
        if "tool_payload_key" in task and make.often(0.9):
            value = {task["tool_payload_key"]: value}
        arguments = spoiled("json", json.dumps(value), make)
        name = task.get("tool_name", "any") if make.often(0.9) else "other"
        calls.append({"type": "function_call", "id": f"f{index}", "call_id": f"c{index}", "name": name, "arguments": arguments})
    return task, calls, tool_verdict(task, schema, calls)


def make_rows(kind, make, rows, folder):
    os.makedirs(folder)
    path = lambda file: open(os.path.join(folder, file), "w", encoding="utf-8")
    with path("settings.json") as out:
        out.write("{}")
    with path("tasks.jsonl") as tasks, path("rollouts.jsonl") as rollouts:
        made = 0
        while made < rows:
            try:
                task, output, error = tool_case(make) if kind == "tool" else text_case(kind, make)
                encoded = json.dumps(output, ensure_ascii=False)
                encoded.encode("utf-8")
            except KeyboardInterrupt:
                raise
            except BaseException:  # A reference to itself may make the validator's own Rust code panic.
                continue
            made += 1
            task["responses_create_params"] = {"input": "?"}
            print(json.dumps(task), file=tasks)
            print(json.dumps({"response": {"id": "r", "output": output}, "reward": float(error is None), "error_type": error}), file=rollouts)


def make_malformed(make, rows, folder):
    """Schemas that the meta-schema refuses once they are strict."""
    spoilers = [("type", "text"), ("type", []), ("type", ["string", "string"]), ("required", True), ("items", []), ("minLength", -1),
                ("minLength", 1.5), ("enum", "a"), ("exclusiveMinimum", True), ("properties", []), ("pattern", "("), ("title", 5),
                ("anyOf", []), ("allOf", {}), ("multipleOf", 0), ("uniqueItems", 1), ("$id", "a#b"), ("$anchor", "1"), ("$defs", {"a": 1}),
                ("additionalProperties", "no"), ("dependentRequired", {"a": ["b", "b"]}), ("patternProperties", {"(": {}}), ("not", 5)]
    spoilers += [("pattern", pattern) for pattern in BROKEN]
    os.makedirs(folder)
    with open(os.path.join(folder, "malformed.jsonl"), "w", encoding="utf-8") as out:
        made = 0
        while made < rows:
            source = make.root()
            key, value = make.chance.choice(spoilers)
            place = source
            while isinstance(place, dict) and make.often(0.6):
                inside = [item for name, item in place.items() if name in ("items", "not", "if", "then", "else", "contains")]
                inside += [item for item in place.get("properties", {}).values()]
                place = make.chance.choice(inside) if inside else None
            if not isinstance(place, dict):
                continue
            place[key] = value
            schema = json.loads(json.dumps(source))
            try:
                strictify(schema)
                OAS31Validator.check_schema(schema)
                continue
            except Exception:
                pass
            made += 1
            row = {"responses_create_params": {"input": "?"}, "schema_str": json.dumps(source), "schema_type": "json"}
            print(json.dumps(row), file=out)


def main(seed, rows, folder):
    shares = {"json": 0.4, "yaml": 0.15, "xml": 0.12, "toml": 0.11, "csv": 0.11, "tool": 0.11}
    for kind, share in shares.items():
        make = Maker(random.Random(f"{seed} {kind}"))
        make_rows(kind, make, int(rows * share) + 1, os.path.join(folder, kind))
    make_malformed(Maker(random.Random(f"{seed} malformed")), rows // 10, os.path.join(folder, "malformed"))


main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
