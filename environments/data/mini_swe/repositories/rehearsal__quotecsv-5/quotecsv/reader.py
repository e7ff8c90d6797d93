"""Text to tables."""


def parse(text):
    """The rows of a text, each a list of fields."""
    rows, row, field = [], [], []
    quoted = False
    for character in text.replace("\r\n", "\n"):
        if character == '"':
            quoted = not quoted
        elif quoted or character not in ",\n":
            field.append(character)
        else:
            row.append("".join(field))
            field = []
            if character == "\n":
                rows.append(row)
                row = []
    if field or row:
        row.append("".join(field))
        rows.append(row)
    return rows
