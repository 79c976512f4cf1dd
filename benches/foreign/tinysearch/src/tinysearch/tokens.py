"""From text to words."""


def tokenize(text):
    """The words of a text in order: letters, digits and _, in lower case."""
    words = []
    word = ""
    for character in text:
        if character.isalnum() or character == "_":
            word += character.lower()
        elif word:
            words.append(word)
            word = ""
    if word:
        words.append(word)
    return words
