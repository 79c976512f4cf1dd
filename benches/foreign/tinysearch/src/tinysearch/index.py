"""An inverted index."""

from .tokens import tokenize

# Documents that are collected before they are merged into the index.
BLOCK = 4


class Index:
    """Which documents have which words; a document's number is its place in `texts`."""

    def __init__(self, texts):
        self.count = 0
        self._postings = {}
        block = []
        for text in texts:
            block.append((self.count, text))
            self.count += 1
            if len(block) >= BLOCK:
                self._merge(block)
                block = []
        self._merge(block)

    def _merge(self, block):
        for number, text in block:
            for word in set(tokenize(text)):
                self._postings.setdefault(word, []).append(number)
        # Sorted, so that prefixes could be looked up.
        self._postings = dict(sorted(self._postings.items()))

    def search(self, query):
        """Numbers of the documents that have every word of the query, ascending."""
        words = tokenize(query)
        if not words:
            return []
        found = self._postings.get(words[0], [])
        for word in words[1:]:
            others = self._postings.get(word, [])
            found = [number for number in found if number in others]
        return list(found)
