"""Tables to text."""


def write(rows):
    """A line for each row; fields are quoted where they have to be."""
    return "".join(",".join(map(quote, row)) + "\n" for row in rows)


def quote(field):
    """A field as it is written."""
    if any(character in field for character in ',"\n'):
        return '"' + field.replace('"', '""') + '"'
    return field
